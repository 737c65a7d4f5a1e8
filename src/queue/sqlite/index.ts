export { migrations } from './migrations/index.js';
export type { SqliteOptions } from './options.js';
export { sqlite, sqliteFromUrl } from './sqlite.js';
