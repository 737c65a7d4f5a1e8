import { migrate } from '../../sql/migrate.js';
import type { MigrationList } from '../../sql/migration.js';
import type { MysqlDatabase } from '../../sql/mysql-database.js';
import { classifyMysql } from '../../sql/mysql-errors.js';
import { mysqlSchema } from '../../sql/mysql-schema.js';
import { schemaFault } from '../../sql/schema-fault.js';
import { schemaStatus } from '../../sql/schema-status.js';
import { Refusal } from '../driver.js';

/**
 * Resolves when the tables are those of this code. Where there are none it makes them, if it may (`create`): a queue on a fresh
 * database simply works. Tables of an older release are left to `signalbox migrate`, at a moment that somebody has chosen.
 * Rejects with a refusal that says what to run.
 */
export async function requireSchema({ db }: MysqlDatabase, list: MigrationList, create: boolean): Promise<void> {
  const status = await schemaStatus(db, list, mysqlSchema);
  const fault = schemaFault(status);
  if (fault === null) return;
  const nothingThere = status.applied.length === 0 && fault.kind === 'older';
  if (!nothingThere || !create) throw new Refusal('topology-mismatch', fault.subject, fault.remedy);
  const outcome = await migrate(db, list, mysqlSchema);
  if (outcome.kind === 'current') return;
  if (outcome.kind === 'busy') {
    throw new Refusal('unavailable', `${fault.subject}, and another process is making it`, 'try again');
  }
  if (outcome.kind === 'newer') {
    const newer = schemaFault(outcome.status) ?? fault;
    throw new Refusal('topology-mismatch', newer.subject, newer.remedy);
  }
  // Not being allowed to make tables is what production looks like.
  if (classifyMysql(outcome.error).code === 'denied') throw new Refusal('denied', fault.subject, fault.remedy);
  throw outcome.error;
}
