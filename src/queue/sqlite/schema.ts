/**
 * The tables, as statements that can be run again.
 *
 * `message` has a row per group and message for as long as the group owes it. `place` is the order of service: it is given
 * when a message becomes due, from a counter that only rises, which is safe because one transaction at a time
 * writes. `claim_token` fences: a new one each time that a message is handed out, never used twice.
 *
 * Without AUTOINCREMENT: a row's number may come again, its token never does.
 */
export const tables: readonly string[] = [
  `create table if not exists signalbox_state (
    one integer primary key check (one = 1),
    last_place integer not null default 0,
    last_token integer not null default 0,
    catalogue_version integer not null default 0
  ) strict`,
  'insert or ignore into signalbox_state (one) values (1)',
  `create table if not exists signalbox_topic (
    topic_id integer primary key,
    name text not null unique,
    ordering text not null,
    lanes integer not null,
    max_redeliveries integer not null,
    expected_delays_ms text not null
  ) strict`,
  // A group that was removed stays, unnamed by others, while delayed messages of it wait to become lost letters.
  `create table if not exists signalbox_group (
    group_id integer primary key autoincrement,
    topic_id integer not null,
    name text not null,
    patterns text not null,
    removed integer not null default 0
  ) strict`,
  'create unique index if not exists signalbox_group_by_name on signalbox_group (topic_id, name) where removed = 0',
  `create table if not exists signalbox_message (
    row_id integer primary key,
    group_id integer not null,
    state integer not null,
    place integer not null,
    due_at integer not null,
    claim_token integer,
    holder_id integer,
    lease_ends_at real,
    hand_outs integer not null default 0,
    attempt integer not null,
    postpones integer not null,
    first_failed_at real,
    lane integer not null,
    message_id text,
    key text,
    routing_key text,
    headers text,
    body blob not null,
    published_at real,
    format integer
  ) strict`,
  'create index if not exists signalbox_message_by_place on signalbox_message (group_id, state, place)',
  'create index if not exists signalbox_message_delayed on signalbox_message (group_id, due_at) where state = 1',
  'create index if not exists signalbox_message_in_hand on signalbox_message (group_id, lease_ends_at) where state = 2',
  `create index if not exists signalbox_message_by_key
    on signalbox_message (group_id, key, state, place) where key is not null`,
  `create table if not exists signalbox_idempotency_key (
    topic_id integer not null,
    idempotency_key text not null,
    message_id text not null,
    expires_at integer not null,
    primary key (topic_id, idempotency_key)
  ) strict, without rowid`,
  `create index if not exists signalbox_idempotency_key_by_end on signalbox_idempotency_key (expires_at)`,
  // group_id 0: the lost letters.
  `create table if not exists signalbox_letter (
    letter_id integer primary key autoincrement,
    box integer not null,
    topic text not null,
    group_name text not null,
    lane integer not null,
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
  'create index if not exists signalbox_letter_by_box on signalbox_letter (box, letter_id)',
  'create index if not exists signalbox_letter_by_message on signalbox_letter (box, message_id)',
  'create index if not exists signalbox_letter_by_end on signalbox_letter (expires_at) where expires_at is not null',
  `create table if not exists signalbox_holder (
    holder_id integer primary key autoincrement,
    machine text not null,
    pid integer not null,
    started text not null
  ) strict`,
];
