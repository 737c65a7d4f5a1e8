export { migrations } from './migrations/index.js';
export { mysql, mysqlFromUrl } from './mysql.js';
export type { MysqlOptions, MysqlSettings, MysqlSource } from './options.js';
