import { messageColumns } from './message-row.js';
import { now } from './sql-values.js';
import type { Tables } from './tables.js';

const message = messageColumns.join(', ');

/** Every statement on the way of a message, with `?` for what is bound. EXPLAIN of each is a test: the index `service`, no filesort. */
export type Statements = ReturnType<typeof statementsOn>;

/** `in (?)` takes a list, `values ?` a list of rows. */
export function statementsOn({ topics, groups, messages, letters, keys }: Tables) {
  const served = `${messages} force index (service)`;
  /** Few rows make servers scan the whole table, and wait for every row that somebody else holds. */
  const named = `${messages} force index (primary)`;
  return {
    // — publishing —

    /** One row, unless the topic's groups have changed since the publisher looked: then none. */
    insertGuarded: (
      row: string,
      topicId: number,
      version: number,
    ) => `insert into ${messages} (box, stage, visible_after, due_at, nonce, ${message})
      select ${row}
      from ${topics}
      where id = ${topicId} and version = ${version}`,

    /** Any number of rows. */
    insertRows: (rows: readonly string[]) =>
      `insert into ${messages} (box, stage, visible_after, due_at, nonce, ${message}) values (${rows.join('), (')})`,

    /** With the server's time, from which the delays of what is inserted next count. */
    versions: `select id, version, ${now} as now_ms from ${topics} where id in (?)`,
    /** In a caller's transaction, whose snapshot may be old: the newest, and they stay so until it ends. */
    versionsLocked: `select id, version, ${now} as now_ms from ${topics} where id in (?) lock in share mode`,

    insertLetters: (rows: readonly string[]) =>
      `insert into ${letters} (box, topic, group_name, buried_at, expires_at, death, ${message}) values (${rows.join('), (')})`,

    /** What was stored by a call whose answer never came. The line has no time in its index: its latest rows are looked at. */
    storedWithNonce: `(select nonce from ${served} where box in (?) and stage = 0 and visible_after >= ${now} - ? and nonce in (?))
      union all
      (select nonce from ${served} where box in (?) and stage in (1, 3) and nonce in (?))
      union all
      (select nonce from (
        select nonce from ${messages} order by id desc limit 20000
      ) latest where nonce in (?))`,

    // — idempotency keys —

    /** `where`: which keys, by `keysNamed`. Neither reads another key's row, which an open transaction may hold. */
    expireKeys: (where: string) => `delete k from (
        select topic_id, idempotency_key from ${keys} force index (primary) where (${where}) and expires_at <= ${now}
        limit 10000
        for update skip locked
      ) ended
      straight_join ${keys} k force index (primary)
        on k.topic_id = ended.topic_id and k.idempotency_key = ended.idempotency_key`,
    useKeys: `insert into ${keys} (topic_id, idempotency_key, message_id, nonce, expires_at) values `,
    useKey: `(?, ?, ?, ?, ${now} + ?)`,
    /** Whoever has a key keeps it. Not `insert ignore`, which also ignores what is too long. */
    unlessUsed: ' on duplicate key update expires_at = expires_at',
    usersOfKeys: (
      where: string,
    ) => `select topic_id, idempotency_key, message_id, nonce from ${keys} force index (primary)
      where ${where}
      lock in share mode`,
    /** The same, but an error (1205, 3572) where somebody's open transaction has used one of them. */
    usersOfFreeKeys: (
      where: string,
    ) => `select topic_id, idempotency_key, message_id, nonce from ${keys} force index (primary)
      where ${where}
      for update nowait`,
    freeKeys: `delete from ${keys} where (topic_id, idempotency_key) in (?)`,
    forgetOldKeys: `delete from ${keys} where expires_at <= ${now} order by expires_at limit 500`,
    forgetOldLetters: `delete from ${letters} where expires_at <= ${now} order by expires_at limit 500`,

    // — claiming —

    /**
     * What is due, in the order of becoming so, from the index alone, and leases that are over. It locks nothing: a locking scan
     * also locks the row behind its range, which is the first of some other group, and with `skip locked` that group's claims
     * then skipped it (a message was overtaken, about once in 50 000 claims of busy neighbours). Nothing of a group that is gone or paused.
     */
    lookAtWaiting: `(select id, visible_after as at_ms, 0 as late
        from ${served}
        where box = ? and stage = 0 and visible_after <= ${now}
          and exists (select 1 from ${groups} where id = ? and paused is null)
        order by visible_after, id
        limit ?)
      union all
      (select id, visible_after, 1
        from ${served}
        where box = ? and stage = 1 and visible_after <= ${now})`,

    /** Of these what still waits, and nobody else is just taking. */
    lockWaiting: `select id, handouts, ${message}
      from ${named}
      where id in (?) and stage = 0 and visible_after <= ${now}
      for update skip locked`,

    /** Claims of an ordered group come one after the other; publishers never touch this row. None: the group is gone. */
    lockGroup: `select id, paused from ${groups} where id = ? for update`,

    /** All that the choice depends on, in one snapshot: who is in hand (and whether for too long), what is due, and the head of the line. */
    lookAtLine: `(select stage, id, key_hash, visible_after as at_ms, visible_after <= ${now} as late
        from ${served}
        where box = ? and stage in (1, 3))
      union all
      (select stage, id, key_hash, visible_after, 0 from ${served}
        where box = ? and stage = 0 and visible_after <= ${now}
        order by visible_after, id
        limit ?)
      union all
      (select stage, id, key_hash, due_at, 0 from ${served}
        where box = ? and stage = 2 and visible_after = 0 and id > ?
        order by id
        limit ?)`,

    /** Further down the line, from the index alone: 100 000 rows of a slow key take 22 ms (MariaDB), 60 (MySQL). */
    lookFurther: `select id, key_hash, 0 as at_ms
      from ${served}
      where box = ? and stage = 2 and visible_after = 0 and id > ?
      order by id
      limit ?`,
    /** The same with times, for when something that is due has to find its place. */
    lookFurtherWithTimes: `select id, key_hash, due_at as at_ms
      from ${served}
      where box = ? and stage = 2 and visible_after = 0 and id > ?
      order by id
      limit ?`,

    take: `update ${named}
      set stage = stage + 1, visible_after = ${now} + ?, claim_token = ?, handouts = handouts + 1
      where id in (?) and stage in (0, 2)`,
    /** Those of the chosen that nobody else has locked: what a stranger's transaction holds must not hold up a claim. */
    bodies: `select id, handouts, ${message} from ${named} where id in (?) and stage in (0, 2) for update skip locked`,

    // — giving back; `stage - 1` is where it was, `due_at` its old place —

    /** `?`: how many hand-outs are not to count. (`stage` is read before it is written: not every server reads the old value afterwards.) */
    giveBack: `update ${named}
      set visible_after = if(stage = 3, 0, due_at), stage = stage - 1, claim_token = 0, handouts = handouts - ?
      where `,
    /** Leases that are over: which ones. */
    late: `select id from ${served} where box = ? and stage in (1, 3) and visible_after <= ${now}`,
    /**
     * Takes those back. Rows that somebody has locked are left for the next time: claims wait for this. (Without its limit, MySQL merges
     * the inner select and forgets what it skips; without the straight join, MariaDB begins with the whole table.)
     */
    expire: `update (
        select id from ${named} where id in (?) and stage in (1, 3) and visible_after <= ${now}
        limit 10000
        for update skip locked
      ) ended
      straight_join ${messages} m force index (primary) on m.id = ended.id
      set m.visible_after = if(m.stage = 3, 0, m.due_at), m.stage = m.stage - 1, m.claim_token = 0`,
    /** What one claim has, of which nobody knows: its answer was lost. */
    forsakeClaim: `update ${served}
      set visible_after = if(stage = 3, 0, due_at), stage = stage - 1, claim_token = 0, handouts = handouts - 1
      where box = ? and stage in (1, 3) and claim_token = ?`,
    /** What a holder's claims have, in the groups that are named. */
    freeHolder: `update ${served}
      set visible_after = if(stage = 3, 0, due_at), stage = stage - 1, claim_token = 0
      where box in (?) and stage in (1, 3) and claim_token between ? and ?`,

    // — settling; `held(…)` completes the where clauses —

    /** Of few rows MariaDB would scan all, and lock each for a moment: claims then skip what nobody takes. */
    ack: `delete m from ${messages} m force index (primary) where `,
    live: `select id from ${named} where `,
    forUpdate: ' for update',
    /** Touches no other row: this comes after a lock was waited for in vain. */
    deleteRows: `delete m from (select id from ${named} where id in (?) limit 10000 for update skip locked) ended
      straight_join ${messages} m force index (primary) on m.id = ended.id`,
    /** A row that somebody has locked keeps its lease as it is: the others must not lose theirs while it is waited for. */
    extend: (where: string) => `update (select id from ${named} where ${where} limit 10000 for update skip locked) held
      straight_join ${messages} m force index (primary) on m.id = held.id
      set m.visible_after = ${now} + ?`,
    /** Those of the live ones that can be ended now. */
    unlocked: ' for update skip locked',
    /** It leaves its place, also in a line: it comes back by its time. The derived table has a row for each. */
    release: (
      rows: number,
    ) => `update (${Array.from({ length: rows }, (_, index) => (index === 0 ? 'select ? as id, ? as delay_ms, ? as attempt, ? as postpones, ? as first_failed_at' : 'select ?, ?, ?, ?, ?')).join(' union all ')}) r
      straight_join ${messages} m force index (primary) on m.id = r.id
      set m.stage = 0, m.visible_after = ${now} + r.delay_ms, m.due_at = ${now} + r.delay_ms, m.claim_token = 0, m.handouts = 0,
        m.attempt = r.attempt, m.postpones = r.postpones, m.first_failed_at = r.first_failed_at`,
  };
}

/** Names idempotency keys, by their topics. */
export function keysNamed(names: readonly (readonly [topicId: number, key: Buffer])[]): {
  readonly sql: string;
  readonly values: readonly (number | readonly Buffer[])[];
} {
  const byTopic = new Map<number, Buffer[]>();
  for (const [topicId, key] of names) byTopic.set(topicId, [...(byTopic.get(topicId) ?? []), key]);
  return {
    sql: [...byTopic].map(() => '(topic_id = ? and idempotency_key in (?))').join(' or '),
    values: [...byTopic].flat(),
  };
}

/** Names the rows and, for each, the claim that it must still belong to; a lease that is over is no claim. */
export function held(claims: ReadonlyMap<number, readonly number[]>): {
  readonly sql: string;
  readonly values: readonly (number | readonly number[])[];
} {
  const each = [...claims].map(() => '(claim_token = ? and id in (?))');
  return {
    sql: `(${each.join(' or ')}) and visible_after > ${now}`,
    values: [...claims].flat(),
  };
}
