import { CompiledQuery, type Kysely } from 'kysely';
import { tablesWith } from '../tables.js';

/**
 * All tables of a queue. Locks nothing that exists; each step can be run again, since a DDL statement commits by itself and a
 * process may die between two.
 *
 * Names, ids and keys are VARBINARY: no collation makes "a" and "A", or "a" and "a ", the same.
 */
export async function createTables(db: Kysely<unknown>, prefix: string): Promise<void> {
  const { topics, groups, messages, letters, keys, holders } = tablesWith(prefix);
  const statements = [
    `create table if not exists ${topics} (
      id int unsigned not null auto_increment primary key,
      name varbinary(100) not null,
      ordering varbinary(4) not null,
      lanes smallint unsigned not null,
      version bigint unsigned not null default 1 comment 'rises with every change of its groups: publishers show the one they know',
      max_redeliveries double not null,
      expected_delays blob not null,
      unique key by_name (name)
    ) engine = innodb`,
    `create table if not exists ${groups} (
      id int unsigned not null auto_increment primary key,
      topic_id int unsigned not null,
      name varbinary(100) not null,
      patterns longblob not null,
      unique key by_name (topic_id, name)
    ) engine = innodb`,
    `create table if not exists ${messages} (
      id bigint unsigned not null auto_increment primary key,
      box int unsigned not null comment 'the group that it is owed to',
      stage tinyint unsigned not null default 0 comment '0 waits by time, 2 stands in the line of an ordered topic, 1 and 3: in hand from there',
      visible_after bigint unsigned not null default 0 comment 'epoch ms; in hand: end of the lease; in the line: 0',
      key_hash bigint unsigned null,
      due_at bigint unsigned not null default 0 comment 'its old place: what visible_after was, or when it joined the line',
      claim_token bigint unsigned not null default 0,
      handouts int unsigned not null default 0 comment 'without an answer since the last answer',
      attempt int unsigned not null default 1,
      postpones int unsigned not null default 0,
      first_failed_at double null,
      published_at double null,
      format int unsigned null,
      message_id varbinary(255) null,
      message_key varbinary(255) null,
      routing_key varbinary(255) null,
      nonce varbinary(64) null,
      headers mediumblob null,
      body longblob not null,
      key service (box, stage, visible_after, id, key_hash)
    ) engine = innodb`,
    `create table if not exists ${letters} (
      id bigint unsigned not null auto_increment primary key,
      box int unsigned not null comment 'the group that gave up on it; 0: a delayed message whose group was gone',
      topic varbinary(100) not null,
      group_name varbinary(100) not null,
      buried_at bigint unsigned not null comment 'of a lost letter: when it falls due',
      expires_at bigint unsigned null,
      death mediumblob null,
      attempt int unsigned not null default 1,
      postpones int unsigned not null default 0,
      first_failed_at double null,
      published_at double null,
      format int unsigned null,
      message_id varbinary(255) null,
      message_key varbinary(255) null,
      routing_key varbinary(255) null,
      key_hash bigint unsigned null,
      headers mediumblob null,
      body longblob not null,
      key oldest_first (box, buried_at, id),
      key by_message (box, message_id),
      key expiring (expires_at)
    ) engine = innodb`,
    `create table if not exists ${keys} (
      topic_id int unsigned not null,
      idempotency_key varbinary(1024) not null,
      message_id varbinary(255) not null,
      nonce varbinary(64) not null,
      expires_at bigint unsigned not null,
      primary key (topic_id, idempotency_key),
      key expiring (expires_at)
    ) engine = innodb`,
    `create table if not exists ${holders} (
      id int unsigned not null auto_increment primary key,
      lock_name varbinary(64) not null,
      server_started_at bigint unsigned not null comment 'epoch s: after a restart of the server every lock looks free'
    ) engine = innodb`,
  ];
  for (const statement of statements) await db.executeQuery(CompiledQuery.raw(statement));
}
