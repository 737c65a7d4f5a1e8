export type { SqliteTableOptions } from '../../sql/sqlite-settings.js';
export { type SqliteBuildStoreOptions, sqliteBuildStore } from './build-store.js';
export { buildMigrations } from './migrations.js';
