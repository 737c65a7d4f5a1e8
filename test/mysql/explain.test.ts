// Every statement on the way of a message, as each server means to carry it out among 40 000 rows.
import { createConnection } from 'mysql2/promise';
import { defineTopic, openQueue } from 'signalbox';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { probeOf } from '../../src/queue/mysql/prober.js';
import { held, keysNamed, statementsOn } from '../../src/queue/mysql/statements.js';
import { tablesWith } from '../../src/queue/mysql/tables.js';
import { describeServers } from '../servers/index.js';

const tables = tablesWith('signalbox_');
const s = statementsOn(tables);
const schema = z.object({ n: z.number() });

/** Values only have to be of the right kind: 1 is the box of the unordered group, 2 of the ordered one. */
const claims = held(
  new Map([
    [77, [3, 5, 8]],
    [78, [11, 13]],
  ]),
);
const keys = keysNamed([[1, Buffer.from('a key')]]);
const ids = [3, 5, 8];

const hot: Readonly<Record<string, readonly [sql: string, values: readonly unknown[]]>> = {
  'publish one': [s.insertGuarded(`1, 0, 0, 0${', null'.repeat(12)}`, 1, 1), []],
  'versions of topics': [s.versions, [[1, 2]]],
  'users of idempotency keys': [s.usersOfKeys(keys.sql), keys.values],
  'look at what waits': [s.lookAtWaiting, [1, 1, 256, 1]],
  'lock what waits': [s.lockWaiting, [ids]],
  'lock the group': [s.lockGroup, [2]],
  'look at the line': [s.lookAtLine, [2, 2, 320, 2, 0, 576]],
  'look further': [s.lookFurther, [2, 100, 20_000]],
  'look further, with times': [s.lookFurtherWithTimes, [2, 100, 20_000]],
  take: [s.take, [30_000, 77, ids]],
  bodies: [s.bodies, [ids]],
  'give back': [`${s.giveBack}id in (?) and claim_token = ?`, [1, ids, 77]],
  'find leases that are over': [s.late, [1]],
  'take them back': [s.expire, [ids]],
  ack: [s.ack + claims.sql, claims.values],
  'find the live ones': [s.live + claims.sql, claims.values],
  'delete the live ones': [s.deleteRows, [ids]],
  extend: [s.extend(claims.sql), [...claims.values, 30_000]],
  release: [s.release(2), [3, 0, 2, 0, null, 5, 0, 2, 0, null]],
  'free what a claim took': [s.forsakeClaim, [1, 77]],
  'free what a process held': [s.freeHolder, [[1, 2], 70, 80]],
  probe: [
    probeOf(tables, [
      { group: { id: 1, topic: { ordering: 'none' } } },
      { group: { id: 2, topic: { ordering: 'key' } } },
    ] as unknown as Parameters<typeof probeOf>[1]),
    [],
  ],
};

interface Plan {
  readonly table: string | null;
  readonly key: string | null;
  readonly type: string | null;
  readonly Extra: string | null;
}

await describeServers(['mariadb', 'mysql'], (_, server) => {
  test('every statement on the way of a message uses its index, and none sorts', async () => {
    const url = await server().freshUrl();
    const topics = [defineTopic('plain', { schema }), defineTopic('keyed', { schema, ordering: 'key' })];
    const queue = await openQueue(url, { topics });
    await queue.close();
    const connection = await createConnection(url);
    await fill(connection.query.bind(connection));

    const faults: string[] = [];
    for (const [name, [sql, values]] of Object.entries(hot)) {
      const explain = connection.format(`explain format=traditional ${sql}`, [...values]);
      const [plans] = (await connection.query(explain)) as unknown as [readonly Plan[]];
      faults.push(...plans.filter(isBad).map((plan) => `${name}: ${JSON.stringify(plan)}`));
    }

    await connection.end();
    expect(faults).toEqual([]);
  });

  test('a statement that sorts, or reads the table, is found', async () => {
    const url = await server().freshUrl();
    const queue = await openQueue(url, { topics: [defineTopic('plain', { schema })] });
    await queue.close();
    const connection = await createConnection(url);
    await fill(connection.query.bind(connection));
    const bad = [
      `select id from ${tables.messages} where box = 1 and stage = 0 order by due_at limit 10`,
      `select id from ${tables.messages} where claim_token = 77`,
    ];

    for (const sql of bad) {
      const [plans] = (await connection.query(`explain format=traditional ${sql}`)) as unknown as [readonly Plan[]];
      expect(plans.some(isBad), sql).toBe(true);
    }

    await connection.end();
  });
});

/** Derived tables have names in angle brackets: they are as long as what was named. "No matching row" and the like read nothing. */
function isBad({ table, key, type, Extra }: Plan): boolean {
  if (Extra?.includes('filesort') === true) return true;
  if (table === null || table.startsWith('<')) return false;
  return type === 'ALL' || key === null;
}

/** 40 000 rows in four boxes: waiting, in line, and some in hand. */
async function fill(query: (sql: string) => Promise<unknown>): Promise<void> {
  const columns = 'box, stage, visible_after, key_hash, due_at, claim_token, body';
  await query(`insert into ${tables.messages} (${columns}) values (1, 0, 5, 9, 5, 0, repeat('b', 200)), (2, 2, 0, 9, 5, 0, 'b'),
    (1, 1, 9e12, 9, 5, 77, 'b'), (3, 0, 5, 9, 5, 0, 'b'), (4, 2, 0, 9, 5, 0, 'b')`);
  for (let rows = 5; rows < 40_000; rows *= 2) {
    await query(`insert into ${tables.messages} (${columns})
      select box, if(stage = 1, 0, stage), visible_after + id, id, due_at + id, 0, body from ${tables.messages}`);
  }
  await query(`analyze table ${tables.messages}`);
}
