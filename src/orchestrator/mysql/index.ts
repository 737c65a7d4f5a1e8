export type { MysqlSource } from '../../sql/mysql-database.js';
export { type MysqlBuildStoreOptions, mysqlBuildStore } from './build-store.js';
export { buildMigrations } from './migrations.js';
