import { CompiledQuery, type Kysely } from 'kysely';
import { namesOf } from '../../../sql/sqlite-tables.js';

/**
 * An index for each state instead of one over all: a claim takes a row out of one, where it moved within two before. Locks the file
 * while they are made of what is there: some seconds for a million rows.
 */
export async function indexByState(db: Kysely<unknown>, tablePrefix: string): Promise<void> {
  const named = namesOf(tablePrefix);
  for (const statement of [
    'create index if not exists {messages_ready} on {messages} (group_id, place) where state = 0',
    'create index if not exists {messages_behind} on {messages} (group_id, place) where state = 3',
    `create index if not exists {messages_in_hand_by_key} on {messages} (group_id, key) where state = 2 and key is not null`,
    `create index if not exists {messages_behind_by_key} on {messages} (group_id, key, place) where state = 3 and key is not null`,
    'drop index if exists {messages_by_place}',
    'drop index if exists {messages_by_key}',
  ]) {
    await db.executeQuery(CompiledQuery.raw(named(statement)));
  }
}
