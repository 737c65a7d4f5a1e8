import { CompiledQuery, type Kysely } from 'kysely';
import { namesOf } from '../../../sql/sqlite-tables.js';

/** When each process on the file was last seen, as the machine of another cannot be asked. One column, added where it is missing; no row is rewritten. */
export async function addLastSeen(db: Kysely<unknown>, tablePrefix: string): Promise<void> {
  const named = namesOf(tablePrefix);
  const { rows } = await db.executeQuery<{ name: string }>(CompiledQuery.raw(named('pragma table_info({holders})')));
  if (rows.some(({ name }) => name === 'seen_at')) return;
  await db.executeQuery(
    CompiledQuery.raw(named('alter table {holders} add column seen_at integer not null default 0')),
  );
}
