import { CompiledQuery, type Kysely } from 'kysely';
import { namesOf } from '../../../sql/sqlite-tables.js';

/**
 * What is delayed by due time and then by place, so that many that fall due in the same millisecond are not sorted at each look. Locks
 * the file while an index is made of what is delayed: about a second for a million rows.
 */
export async function indexDueInOrder(db: Kysely<unknown>, tablePrefix: string): Promise<void> {
  const named = namesOf(tablePrefix);
  for (const statement of [
    `create index if not exists {messages_by_due} on {messages} (group_id, due_at, place) where state = 1`,
    'drop index if exists {messages_delayed}',
  ]) {
    await db.executeQuery(CompiledQuery.raw(named(statement)));
  }
}
