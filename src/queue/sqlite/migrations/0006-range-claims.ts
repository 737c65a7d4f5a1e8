import { CompiledQuery, type Kysely } from 'kysely';
import { namesOf } from '../../../sql/sqlite-tables.js';

/**
 * A row for each claim of a range of the line, how far each group's line is claimed, and an index of what came back. No row of a message is
 * rewritten; each statement can be run again.
 */
export async function addRangeClaims(db: Kysely<unknown>, tablePrefix: string): Promise<void> {
  const named = namesOf(tablePrefix);
  const { rows } = await db.executeQuery<{ name: string }>(CompiledQuery.raw(named('pragma table_info({groups})')));
  const hasFrontier = rows.some(({ name }) => name === 'frontier');
  for (const statement of [
    ...(hasFrontier ? [] : ['alter table {groups} add column frontier integer not null default 0']),
    `create table if not exists {claims} (
      token integer primary key,
      group_id integer not null,
      holder_id integer not null,
      lease_ends_at real not null,
      first_place integer not null,
      last_place integer not null
    ) strict`,
    'create index if not exists {claims_by_end} on {claims} (group_id, lease_ends_at)',
    'create index if not exists {messages_returned} on {messages} (group_id, place) where state = 4',
  ]) {
    await db.executeQuery(CompiledQuery.raw(named(statement)));
  }
}
