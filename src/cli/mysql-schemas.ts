import { buildMigrationList } from '../orchestrator/mysql/migrations.js';
import { queueMigrationList } from '../queue/mysql/migrations/index.js';
import { migrate } from '../sql/migrate.js';
import { defaultTablePrefix, type MigrationList } from '../sql/migration.js';
import { type MysqlDatabase, mysqlDatabase } from '../sql/mysql-database.js';
import { classifyMysql } from '../sql/mysql-errors.js';
import { mysqlFailure } from '../sql/mysql-failure.js';
import { mysqlSchema } from '../sql/mysql-schema.js';
import { readMysqlTablesUrl } from '../sql/mysql-url.js';
import { migrationRefusal } from '../sql/schema-refusal.js';
import { schemaStatus } from '../sql/schema-status.js';
import type { Schemas } from './schemas.js';

const operation = 'migrate';
const backend = 'mysql';

/** The tables in a database of MySQL or MariaDB, on one connection. Rejects with `invalid` for a URL that cannot be read. */
export async function mysqlSchemas(url: string): Promise<Schemas> {
  try {
    const { tablePrefix = defaultTablePrefix } = readMysqlTablesUrl(url);
    return schemasIn(await mysqlDatabase({ url }, { connections: 1 }), [
      queueMigrationList(tablePrefix),
      buildMigrationList(tablePrefix),
    ]);
  } catch (error) {
    throw mysqlFailure(operation, error);
  }
}

function schemasIn({ db, close }: MysqlDatabase, lists: readonly MigrationList[]): Schemas {
  const bringUp = async (list: MigrationList): Promise<readonly string[]> => {
    const outcome = await migrate(db, list, mysqlSchema);
    if (outcome.kind === 'current') return outcome.ran;
    throw migrationRefusal(outcome, list, classifyMysql);
  };
  const eachInTurn = async <T>(work: (list: MigrationList) => Promise<T>): Promise<readonly T[]> => {
    const answers: T[] = [];
    try {
      for (const list of lists) answers.push(await work(list));
      return answers;
    } catch (error) {
      throw mysqlFailure(operation, error);
    }
  };

  return {
    backend,
    statuses: () => eachInTurn((list) => schemaStatus(db, list, mysqlSchema)),
    migrate: async () => new Map(await eachInTurn(async (list) => [list.name, await bringUp(list)] as const)),
    close,
  };
}
