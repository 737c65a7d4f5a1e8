import assert from 'node:assert/strict';
import { many, never, sorted } from '../bench.js';
import { type Case, promise, queueCase } from '../case.js';
import type { Delivery } from '../contract.js';
import type { AnyTopic, QueueBench } from '../queue-bench.js';

export const crashLoops: readonly Case[] = [
  ...promise(
    '16.1',
    '`redeliveries` counts hand-outs without an answer since the last answer; more than `maxRedeliveries` is a crash loop: a dead letter with the reason `crash-loop`.',
    [
      queueCase(
        'a-message-that-always-kills-its-process-is-a-dead-letter-in-the-end',
        async (bench) => {
          const topic = bench.topic({ maxRedeliveries: 3 });
          const first = await bench.queue([topic]);
          await first.publish(topic, 'body', { id: 'killer' });
          const redeliveries: number[] = [];

          for (let round = 0; round < 4; round++) {
            const { queue, driver } = await bench.opened([topic]);
            const { seen } = await bench.consume(queue, topic, async (delivery) => {
              redeliveries.push(delivery.redeliveries);
              await bench.kill(driver);
              return never();
            });
            await bench.time.eventually('it has come', () => seen.length === 1, bench.recoveryMs);
          }
          const { seen } = await bench.consume(first, topic);
          const letters = async () => (await first.admin.deadLetters(topic).list()).letters;
          await bench.time.eventually('it is dead', async () => (await letters()).length === 1, bench.recoveryMs);

          const [letter] = await letters();
          assert.deepEqual(redeliveries, [0, 1, 2, 3]);
          assert.deepEqual(seen, []);
          const { cause, reason, redeliveries: counted, attempt } = letter?.death ?? {};
          assert.deepEqual([letter?.id, cause, reason, counted, attempt], ['killer', 'crash-loop', 'crash-loop', 4, 1]);
          await bench.isEmpty(first, topic);
        },
        'killSubscriber',
        'countsRedeliveries',
      ),
      queueCase(
        'an-answer-starts-the-count-anew',
        async (bench) => {
          const topic = bench.topic({ maxRedeliveries: 2 });
          const first = await bench.queue([topic]);
          await first.publish(topic, null, { id: 'm' });
          const lose = async (): Promise<number> => {
            const { queue, driver } = await bench.opened([topic]);
            const delivery = await bench.subscribe(queue, topic, { prefetch: 1 }).next(bench.recoveryMs);
            await bench.kill(driver);
            return delivery.redeliveries;
          };

          const before = [await lose(), await lose()];
          const reading = bench.subscribe(first, topic, { prefetch: 1 });
          // Not back before this reader is closed: what it had been pushed would count where giving back does.
          await bench.time.until((await reading.next(bench.recoveryMs)).postpone(300));
          await bench.time.until(reading.subscription.close());
          const after = [await lose(), await lose()];
          const last = await bench.subscribe(first, topic).next(bench.recoveryMs);

          assert.deepEqual(
            [before, after],
            [
              [0, 1],
              [0, 1],
            ],
          );
          assert.deepEqual([last.redeliveries, last.attempt, last.postpones], [2, 1, 1]);
        },
        'killSubscriber',
        'countsRedeliveries',
      ),
      queueCase(
        'a-crash-loop-in-one-group-takes-nothing-from-another',
        async (bench) => {
          const topic = bench.topic({ maxRedeliveries: 1, groups: { doomed: {}, fine: {} } });
          const first = await bench.queue([topic]);
          await first.publish(topic, null, { id: 'm' });
          for (let round = 0; round < 2; round++) {
            const { queue, driver } = await bench.opened([topic]);
            await bench.subscribe(queue, topic, { group: 'doomed', prefetch: 1 }).next(bench.recoveryMs);
            await bench.kill(driver);
          }

          await bench.consume(first, topic, () => {}, { group: 'doomed' });
          await bench.time.eventually(
            'it is dead',
            async () => (await first.admin.deadLetters(topic, 'doomed').list()).letters.length === 1,
            bench.recoveryMs,
          );

          assert.equal((await first.admin.deadLetters(topic, 'fine').list()).letters.length, 0);
          assert.deepEqual(
            (await bench.drain(first, topic, 'fine')).map(({ redeliveries }) => redeliveries),
            [0],
          );
        },
        'killSubscriber',
        'countsRedeliveries',
      ),
    ],
  ),
  ...promise(
    '16.2',
    'A message that kills its process does not bury its neighbours: what was redelivered more than twice is started alone and in changing order, so that one killer among 64 held messages ends as exactly one dead letter and all others are handled.',
    [
      ...(['none', 'key'] as const).map((ordering) =>
        queueCase(
          `one-killer-among-64-held-messages-ends-as-exactly-one-dead-letter-on-${ordering === 'key' ? 'ordered' : 'unordered'}-topics`,
          (bench) => killersAmong(bench, bench.topic({ ordering }), ['m17']),
          'killSubscriber',
          'countsRedeliveries',
        ),
      ),
      queueCase(
        'three-killers-among-64-held-messages-end-as-three-dead-letters',
        (bench) => killersAmong(bench, bench.topic(), ['m0', 'm31', 'm63']),
        'killSubscriber',
        'countsRedeliveries',
        'give-backs not counted',
      ),
      queueCase(
        'what-was-redelivered-more-than-twice-is-started-alone',
        async (bench) => {
          const topic = bench.topic();
          const first = await bench.queue([topic]);
          await bench.time.until(
            first.publishBatch(
              topic,
              many(8, (n) => ({ body: n, id: `m${n}` })),
            ),
          );
          for (let round = 0; round < 3; round++) {
            const { queue, driver } = await bench.opened([topic]);
            const { seen } = await bench.consume(queue, topic, () => never());
            await bench.time.eventually('all have come', () => seen.length === 8, bench.recoveryMs);
            await bench.kill(driver);
          }
          let running = 0;
          let most = 0;

          const { seen } = await bench.consume(first, topic, async () => {
            most = Math.max(most, ++running);
            await bench.time.sleep(5);
            running--;
          });
          await bench.time.eventually('all were handled', () => seen.length === 8 && running === 0, bench.recoveryMs);

          assert.equal(most, 1);
          assert.deepEqual(
            seen.map(({ redeliveries }) => redeliveries),
            many(8, () => 3),
          );
        },
        'killSubscriber',
        'countsRedeliveries',
      ),
      queueCase(
        'a-suspect-waits-until-what-came-with-it-has-ended',
        async (bench) => {
          const topic = bench.topic();
          const first = await bench.queue([topic]);
          await first.publish(topic, null, { id: 'suspect' });
          for (let round = 0; round < 3; round++) {
            const { queue, driver } = await bench.opened([topic]);
            const { seen } = await bench.consume(queue, topic, () => never());
            await bench.time.eventually('it has come', () => seen.length === 1, bench.recoveryMs);
            await bench.kill(driver);
          }
          await bench.time.pass(bench.recoveryMs);
          await bench.time.until(
            first.publishBatch(
              topic,
              many(4, (n) => ({ body: null, id: `m${n}` })),
            ),
          );
          const running = new Set<string>();
          const beside: string[][] = [];

          const { seen } = await bench.consume(first, topic, async ({ message: { id } }) => {
            running.add(id);
            if (running.has('suspect')) beside.push([...running]);
            await bench.time.sleep(5);
            running.delete(id);
          });
          await bench.time.eventually('all were handled', () => seen.length === 5 && running.size === 0);

          assert.deepEqual(beside, [['suspect']]);
        },
        'killSubscriber',
        'countsRedeliveries',
      ),
    ],
  ),
];

/** Processes come and are killed until all that can be handled was. */
async function killersAmong(bench: QueueBench, topic: AnyTopic, killers: readonly string[]): Promise<void> {
  const messages = many(64, (n) => `m${n}`);
  const observer = await bench.queue([topic]);
  await bench.time.until(
    observer.publishBatch(
      topic,
      messages.map((id) => ({ body: null, id, key: id })),
    ),
  );
  const handled = new Set<string>();
  const letters = async () => (await observer.admin.deadLetters(topic).list()).letters;
  const isOver = async (): Promise<boolean> =>
    handled.size >= messages.length - killers.length && (await letters()).length >= killers.length;

  for (let process = 0; !(await isOver()); process++) {
    assert.ok(
      process < 200,
      `after 200 processes ${handled.size} were handled and ${(await letters()).length} are dead`,
    );
    const { queue, driver } = await bench.opened([topic]);
    let alive = true;
    await bench.consume(queue, topic, async ({ message }: Delivery) => {
      if (!alive) return never();
      if (killers.includes(message.id)) {
        alive = false;
        await bench.kill(driver);
        return never();
      }
      await bench.time.sleep(1);
      if (!alive) return never();
      handled.add(message.id);
      return undefined;
    });
    await bench.time.eventually(
      'it was killed, or all is done',
      async () => !alive || (await isOver()),
      bench.recoveryMs,
    );
  }

  await bench.isEmpty(observer, topic);
  const dead = await letters();
  assert.deepEqual(sorted(dead.map(({ id }) => id)), sorted(killers));
  assert.ok(dead.every(({ death }) => death?.cause === 'crash-loop'));
  assert.deepEqual(sorted([...handled]), sorted(messages.filter((id) => !killers.includes(id))));
}
