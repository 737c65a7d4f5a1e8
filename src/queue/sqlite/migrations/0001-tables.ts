import { CompiledQuery, type Kysely } from 'kysely';
import { namesOf } from '../../../sql/sqlite-tables.js';

/**
 * All tables of a queue. Locks the file for as long as it takes, some milliseconds; each statement can be run again.
 *
 * `messages` has a row per group and message for as long as the group owes it. `place` is the order of service: it is given
 * when a message becomes due, from a counter that only rises, which is safe because one transaction at a time
 * writes. `claim_token` fences: a new one each time that a message is handed out, never used twice.
 *
 * Without AUTOINCREMENT: a row's number may come again, its token never does.
 */
export async function createTables(db: Kysely<unknown>, tablePrefix: string): Promise<void> {
  const named = namesOf(tablePrefix);
  for (const statement of statements) await db.executeQuery(CompiledQuery.raw(named(statement)));
}

const statements: readonly string[] = [
  `create table if not exists {state} (
    one integer primary key check (one = 1),
    last_place integer not null default 0,
    last_token integer not null default 0,
    catalogue_version integer not null default 0
  ) strict`,
  'insert or ignore into {state} (one) values (1)',
  `create table if not exists {topics} (
    topic_id integer primary key,
    name text not null unique,
    ordering text not null,
    lanes integer not null,
    max_redeliveries real not null,
    expected_delays_ms text not null
  ) strict`,
  // A group that was removed stays, unnamed by others, while delayed messages of it wait to become lost letters.
  `create table if not exists {groups} (
    group_id integer primary key autoincrement,
    topic_id integer not null,
    name text not null,
    patterns text not null,
    removed integer not null default 0
  ) strict`,
  'create unique index if not exists {groups_by_name} on {groups} (topic_id, name) where removed = 0',
  `create table if not exists {messages} (
    row_id integer primary key,
    group_id integer not null,
    state integer not null default 0,
    place integer not null default 0,
    due_at integer not null default 0,
    claim_token integer,
    holder_id integer,
    lease_ends_at real,
    hand_outs integer not null default 0,
    attempt integer not null default 1,
    postpones integer not null default 0,
    first_failed_at real,
    message_id text,
    key text,
    routing_key text,
    headers text,
    body blob not null,
    published_at real,
    format integer
  ) strict`,
  'create index if not exists {messages_by_place} on {messages} (group_id, state, place)',
  'create index if not exists {messages_delayed} on {messages} (group_id, due_at) where state = 1',
  'create index if not exists {messages_in_hand} on {messages} (group_id, lease_ends_at) where state = 2',
  `create index if not exists {messages_by_key}
    on {messages} (group_id, key, state, place) where key is not null`,
  `create table if not exists {keys} (
    topic_id integer not null,
    idempotency_key text not null,
    message_id text not null,
    expires_at integer not null,
    primary key (topic_id, idempotency_key)
  ) strict, without rowid`,
  `create index if not exists {keys_by_end} on {keys} (expires_at)`,
  // group_id 0: the lost letters.
  `create table if not exists {letters} (
    letter_id integer primary key autoincrement,
    box integer not null,
    topic text not null,
    group_name text not null,
    death text,
    buried_at integer not null,
    expires_at integer,
    message_id text,
    key text,
    routing_key text,
    headers text,
    body blob not null,
    published_at real,
    format integer
  ) strict`,
  'create index if not exists {letters_by_box} on {letters} (box, letter_id)',
  'create index if not exists {letters_by_message} on {letters} (box, message_id)',
  'create index if not exists {letters_by_end} on {letters} (expires_at) where expires_at is not null',
  `create table if not exists {holders} (
    holder_id integer primary key autoincrement,
    machine text not null,
    pid integer not null,
    started text not null
  ) strict`,
];
