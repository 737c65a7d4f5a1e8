import { CompiledQuery, type Kysely } from 'kysely';
import { namesOf } from '../../../sql/sqlite-tables.js';

/** Groups that are paused, and what each process knows of them. Two columns, each added where it is missing; no row is rewritten. */
export async function addPauses(db: Kysely<unknown>, tablePrefix: string): Promise<void> {
  const named = namesOf(tablePrefix);
  for (const [table, column, type] of [
    ['{groups}', 'paused', 'text'],
    ['{holders}', 'heeded', "text not null default ''"],
  ] as const) {
    const { rows } = await db.executeQuery<{ name: string }>(CompiledQuery.raw(named(`pragma table_info(${table})`)));
    if (rows.some(({ name }) => name === column)) continue;
    await db.executeQuery(CompiledQuery.raw(named(`alter table ${table} add column ${column} ${type}`)));
  }
}
