export type { SqliteOptions } from './options.js';
export { sqlite, sqliteFromUrl } from './sqlite.js';
