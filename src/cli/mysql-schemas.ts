import { buildMigrationList } from '../orchestrator/mysql/migrations.js';
import { queueMigrationList } from '../queue/mysql/migrations/index.js';
import { defaultTablePrefix } from '../sql/migration.js';
import { mysqlDatabase } from '../sql/mysql-database.js';
import { classifyMysql } from '../sql/mysql-errors.js';
import { mysqlFailure } from '../sql/mysql-failure.js';
import { mysqlSchema } from '../sql/mysql-schema.js';
import { readMysqlTablesUrl } from '../sql/mysql-url.js';
import { type Schemas, schemasOn } from './schemas-on.js';

/** The tables in a database of MySQL or MariaDB, on one connection. Rejects with `invalid` for a URL that cannot be read. */
export async function mysqlSchemas(url: string): Promise<Schemas> {
  try {
    const { tablePrefix = defaultTablePrefix } = readMysqlTablesUrl(url);
    const { db, close } = await mysqlDatabase({ url }, { connections: 1 });
    return schemasOn({
      backend: 'mysql',
      db,
      schema: mysqlSchema,
      lists: [queueMigrationList(tablePrefix), buildMigrationList(tablePrefix)],
      classify: classifyMysql,
      failure: (error) => mysqlFailure('migrate', error),
      close,
    });
  } catch (error) {
    throw mysqlFailure('migrate', error);
  }
}
