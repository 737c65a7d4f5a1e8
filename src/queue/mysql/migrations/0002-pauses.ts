import { CompiledQuery, type Kysely } from 'kysely';
import { tablesWith } from '../tables.js';

/**
 * Groups that are paused, and what each process knows of them. Two columns on two small tables: a change of the dictionary alone, which
 * waits for transactions that have used these tables, and is waited for by others for as long. Each is added where it is missing.
 */
export async function addPauses(db: Kysely<unknown>, prefix: string): Promise<void> {
  const { groups, holders } = tablesWith(prefix);
  await addColumn(db, groups, 'paused', "varbinary(32) null comment 'token of the pause; null: it flows'");
  await addColumn(db, holders, 'heeded', "mediumblob null comment 'tokens of the pauses that this process knows of'");
}

async function addColumn(db: Kysely<unknown>, table: string, column: string, type: string): Promise<void> {
  const there = await db.executeQuery(CompiledQuery.raw(`show columns from ${table} like '${column}'`));
  if (there.rows.length === 0)
    await db.executeQuery(CompiledQuery.raw(`alter table ${table} add column ${column} ${type}`));
}
