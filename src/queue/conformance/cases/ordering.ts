import assert from 'node:assert/strict';
import { gate, many, never, sorted } from '../bench.js';
import { type Case, driverCase, promise, queueCase } from '../case.js';
import type { Driver, DriverSubscription, Queue, Received } from '../contract.js';
import { laneOf } from '../contract.js';
import { ack, type DriverBench, giveBack, idsOf, release } from '../driver-bench.js';
import { ids } from '../queue-bench.js';

export const ordering: readonly Case[] = [
  ...promise(
    '11.1',
    "On topics with `ordering: 'key'`, first deliveries of one key come in publish order (for publishes in the same instant on several machines: the order in which they became visible).",
    [
      driverCase('one-reader-gets-a-key-in-publish-order', async (bench) => {
        const topic = await bench.declare({ ordering: 'key' });
        await bench.send(...many(100, (n) => bench.entry(topic, `m${n}`, { key: 'k' })));

        assert.deepEqual(
          await bench.drain(await bench.subscribe(topic)),
          many(100, (n) => `m${n}`),
        );
      }),
      queueCase('ten-consumers-and-sixteen-keys-keep-the-order-of-each-key', async (bench) => {
        const topic = bench.topic({ ordering: 'key' });
        const queues: readonly Queue[] = await Promise.all(many(5, () => bench.queue([topic])));
        const seen = new Map<string, number[]>();
        await Promise.all(
          many(10, (n) =>
            bench.consume(
              queues[n % 5] as Queue,
              topic,
              async ({ message }) => {
                seen.set(message.key ?? '', [...(seen.get(message.key ?? '') ?? []), message.body as number]);
                await bench.time.sleep((message.body as number) % 3);
              },
              { prefetch: 16 },
            ),
          ),
        );

        await bench.time.until(
          (queues[0] as Queue).publishBatch(
            topic,
            many(480, (n) => ({ body: n, key: `key ${n % 16}` })),
          ),
        );
        await bench.time.eventually('all have come', () => [...seen.values()].flat().length >= 480);

        for (const [key, numbers] of seen) {
          const expected = many(30, (n) => 16 * n + Number(key.slice(4)));
          assert.deepEqual(numbers, expected, key);
        }
      }),
      queueCase('messages-without-a-key-come-too-on-an-ordered-topic', async (bench) => {
        const topic = bench.topic({ ordering: 'key' });
        const queue = await bench.queue([topic]);

        await bench.time.until(
          queue.publishBatch(
            topic,
            many(20, (n) => ({ body: n, id: `m${n}` })),
          ),
        );

        assert.deepEqual(sorted(ids(await bench.drain(queue, topic))), sorted(many(20, (n) => `m${n}`)));
      }),
      driverCase('what-is-given-back-or-left-by-a-holder-returns-to-its-old-place', async (bench) => {
        const topic = await bench.declare({ ordering: 'key' });
        await bench.send(...many(5, (n) => bench.entry(topic, `m${n}`, { key: 'k' })));
        const first = await bench.subscribe(topic);
        const [head] = await bench.receive(first, 1);
        await bench.settleDone(first, giveBack((head as Received).receipt));
        await bench.receive(first, 1);
        await bench.time.until(first.close());

        const second = await bench.subscribe(topic);

        assert.deepEqual(
          await bench.drain(second),
          many(5, (n) => `m${n}`),
        );
      }),
    ],
  ),
  ...promise('11.2', 'At most one delivery of a key whose lease holds is in hand in a group, over all processes.', [
    driverCase('a-key-is-in-the-hands-of-one-reader-at-a-time', async (bench) => {
      const topic = await bench.declare({ ordering: 'key' });
      const drivers: readonly Driver[] = [bench.driver, await bench.open(), await bench.open()];
      const readers = await Promise.all(drivers.map((driver) => bench.subscribe(topic, { driver })));
      await bench.send(...many(60, (n) => bench.entry(topic, `m${n}`, { key: `key ${n % 6}` })));

      const order = new Map<string, string[]>();
      await bench.time.eventually('all have come in turn', async () => {
        const inHand: { key: string; reader: number; received: Received }[] = [];
        for (const [index, reader] of readers.entries())
          for (const received of await bench.ask(reader, 100, bench.time.quietMs / 5))
            inHand.push({ key: received.message.key ?? '', reader: index, received });
        for (const { key } of inHand)
          checkHolders(
            bench,
            inHand.filter((each) => each.key === key),
          );
        for (const { key, received } of inHand) order.set(key, [...(order.get(key) ?? []), received.message.id ?? '']);
        for (const [index, reader] of readers.entries())
          await reader.settle(
            inHand.filter((each) => each.reader === index).map(({ received }) => ack(received.receipt)),
          );
        return [...order.values()].flat().length >= 60;
      });

      for (const [key, seen] of order)
        assert.deepEqual(
          seen,
          many(10, (n) => `m${6 * n + Number(key.slice(4))}`),
        );
    }),
    queueCase('no-two-handlers-run-with-one-key-in-any-process', async (bench) => {
      const topic = bench.topic({ ordering: 'key' });
      const queues: readonly Queue[] = await Promise.all(many(3, () => bench.queue([topic])));
      const running = new Map<string, number>();
      let most = 0;
      let handled = 0;
      for (const queue of queues)
        await bench.consume(queue, topic, async ({ message, attempt }) => {
          const key = message.key ?? '';
          running.set(key, (running.get(key) ?? 0) + 1);
          most = Math.max(most, running.get(key) ?? 0);
          await bench.time.sleep(3);
          running.set(key, (running.get(key) ?? 0) - 1);
          if (attempt === 1 && (message.body as number) % 7 === 0) throw new Error('again');
          handled++;
        });

      await bench.time.until(
        (queues[0] as Queue).publishBatch(
          topic,
          many(100, (n) => ({ body: n, key: `key ${n % 4}` })),
        ),
      );
      await bench.time.eventually('all were handled', () => handled === 100);

      assert.equal(most, 1);
    }),
    queueCase('what-is-published-while-its-key-is-in-hand-waits-in-any-process', async (bench) => {
      const topic = bench.topic({ ordering: 'key' });
      const keys = many(16, (n) => `key ${n}`);
      const [one, other] = [await bench.queue([topic]), await bench.queue([topic])];
      const slow = gate();
      const { seen } = await bench.consume(one, topic, () => slow.opened);
      for (const key of keys) await one.publish(topic, null, { key });
      await bench.time.eventually('one of each key is in hand', () => seen.length === keys.length);

      // Half of the lanes may be its own from now on.
      const { seen: seenByOther } = await bench.consume(other, topic);
      for (const key of keys) await one.publish(topic, null, { key });
      await bench.time.settle();
      const early = seenByOther.length;
      slow.open();
      await bench.time.eventually('all have come', () => seen.length + seenByOther.length === 2 * keys.length);

      assert.equal(early, 0);
    }),
    driverCase(
      'what-waits-behind-a-lost-lease-is-not-handed-out-before-it',
      async (bench) => {
        const topic = await bench.declare({ ordering: 'key' });
        await bench.send(...many(3, (n) => bench.entry(topic, `m${n}`, { key: 'k' })));
        const holder = await bench.subscribe(topic, { driver: await bench.open() });
        const [held] = await bench.receive(holder, 1);
        await bench.time.pass((bench.capabilities.lease?.ms ?? 0) + bench.time.quietMs);

        const other = await bench.subscribe(topic);
        const [again] = await bench.receiveByAny([other, holder], 1);

        assert.deepEqual([held?.message.id, again?.message.id], ['m0', 'm0']);
        assert.deepEqual(await bench.settle(holder, ack((held as Received).receipt)), ['lost']);
      },
      'lease',
    ),
    driverCase(
      'the-key-of-a-killed-holder-goes-on-with-the-same-message',
      async (bench) => {
        const topic = await bench.declare({ ordering: 'key' });
        await bench.send(...many(5, (n) => bench.entry(topic, `m${n}`, { key: 'k' })));
        const doomed = await bench.open();
        await bench.receive(await bench.subscribe(topic, { driver: doomed }), 1);

        await bench.kill(doomed);

        const reader = await bench.subscribe(topic);
        const [first] = await bench.receive(reader, 1, bench.recoveryMs);
        await bench.settleDone(reader, ack((first as Received).receipt));
        assert.equal(first?.message.id, 'm0');
        assert.deepEqual(await bench.drain(reader), ['m1', 'm2', 'm3', 'm4']);
      },
      'killSubscriber',
    ),
  ]),
  ...promise(
    '11.3',
    'A message that is nacked or postponed leaves the line and returns when its delay ends; later ones of its key go on meanwhile.',
    [
      driverCase('a-released-message-lets-its-key-go-on-and-comes-back-behind', async (bench) => {
        const topic = await bench.declare({ ordering: 'key' });
        const reader = await bench.subscribe(topic);
        await bench.send(...many(3, (n) => bench.entry(topic, `m${n}`, { key: 'k' })));
        const head = await headOf(bench, reader, 'm0');

        // Longer than draining takes where time goes by itself.
        const delayMs = 2 * bench.time.ample(150);
        await bench.settleDone(reader, release(head.receipt, delayMs, { attempt: 2 }));

        assert.deepEqual(await bench.drain(reader), ['m1', 'm2']);
        await bench.send(bench.entry(topic, 'm3', { key: 'k' }));
        await bench.time.pass(delayMs);
        assert.deepEqual(await bench.drain(reader), ['m3', 'm0']);
      }),
      queueCase('later-messages-of-a-key-go-on-while-an-earlier-one-waits-for-its-retry', async (bench) => {
        const topic = bench.topic({ ordering: 'key' });
        const queue = await bench.queue([topic]);
        const seen: string[] = [];
        const delayMs = bench.time.ample(500);
        await bench.consume(queue, topic, (delivery) => {
          const { message, attempt, postpones } = delivery;
          seen.push(`${message.id} ${attempt} ${postpones}`);
          if (message.id === 'nacked' && attempt === 1) return delivery.nack(delayMs);
          if (message.id === 'postponed' && postpones === 0) return delivery.postpone(delayMs + 200);
          return undefined;
        });

        for (const id of ['nacked', 'postponed', 'one', 'two']) await queue.publish(topic, null, { id, key: 'k' });
        await bench.time.eventually('all have come', () => seen.length === 6);

        assert.deepEqual(seen, ['nacked 1 0', 'postponed 1 0', 'one 1 0', 'two 1 0', 'nacked 2 0', 'postponed 1 1']);
      }),
      queueCase('a-delayed-message-does-not-block-its-key', async (bench) => {
        const topic = bench.topic({ ordering: 'key' });
        const queue = await bench.queue([topic]);
        const { seen } = await bench.consume(queue, topic);

        await queue.publishAfter(topic, null, bench.time.ample(400), { id: 'delayed', key: 'k' });
        for (const id of ['one', 'two']) await queue.publish(topic, null, { id, key: 'k' });
        await bench.time.eventually('all have come', () => seen.length === 3);

        assert.deepEqual(ids(seen), ['one', 'two', 'delayed']);
      }),
    ],
  ),
  ...promise('11.4', 'A failing key stops no other, and a message that became a dead letter lets its key go on.', [
    queueCase('a-key-that-always-fails-stops-no-other-and-ends', async (bench) => {
      const topic = bench.topic({ ordering: 'key', maxAttempts: 3, backoff: { initialMs: 100, jitter: 0 } });
      const queue = await bench.queue([topic]);
      const acked: string[] = [];
      await bench.consume(queue, topic, ({ message }) => {
        if (message.id === 'poison') throw new Error('always');
        acked.push(message.id);
      });

      await queue.publish(topic, null, { id: 'poison', key: 'bad' });
      await queue.publish(topic, null, { id: 'after poison', key: 'bad' });
      for (let n = 0; n < 20; n++) await queue.publish(topic, null, { id: `good ${n}`, key: `key ${n}` });
      await bench.time.eventually('all others were handled', () => acked.length === 21);
      await bench.time.eventually(
        'the poison is dead',
        async () => (await queue.admin.deadLetters(topic).list()).letters.length === 1,
      );

      assert.ok(acked.includes('after poison'));
      await queue.publish(topic, null, { id: 'later', key: 'bad' });
      await bench.time.eventually('the key goes on', () => acked.includes('later'));
    }),
    queueCase('the-head-of-a-key-that-is-rejected-lets-the-next-one-go', async (bench) => {
      const topic = bench.topic({ ordering: 'key' });
      const queue = await bench.queue([topic]);
      const { seen } = await bench.consume(queue, topic, (delivery) =>
        delivery.message.id === 'm0' ? delivery.reject('poison') : undefined,
      );

      for (let n = 0; n < 4; n++) await queue.publish(topic, null, { id: `m${n}`, key: 'k' });
      await bench.time.eventually('all have come', () => seen.length === 4);

      assert.deepEqual(ids(seen), ['m0', 'm1', 'm2', 'm3']);
    }),
  ]),
  ...promise(
    '11.5',
    "A slow key stops no other either (`keyIsolation: 'full'`), or only those of its lane and only while more of its messages wait than the lane's window of at least 64 (`'window'`).",
    [
      queueCase(
        'a-slow-key-stops-no-other-whatever-waits-behind-it',
        async (bench) => {
          const topic = bench.topic({ ordering: 'key', lanes: 1 });
          const queue = await bench.queue([topic]);
          const slow = gate();
          const { seen } = await bench.consume(queue, topic, ({ message }) =>
            message.key === 'slow' ? slow.opened : undefined,
          );

          await bench.time.until(
            queue.publishBatch(
              topic,
              many(200, (n) => ({ body: n, key: 'slow' })),
            ),
          );
          await bench.time.until(
            queue.publishBatch(
              topic,
              many(50, (n) => ({ body: n, key: `key ${n}` })),
            ),
          );
          const others = (): number => seen.filter(({ message }) => message.key !== 'slow').length;
          await bench.time.eventually('all others have come', () => others() === 50);
          slow.open();

          assert.equal(seen.length - others(), 1);
        },
        'full key isolation',
      ),
      queueCase('a-slow-key-stops-no-other-while-no-more-than-a-window-waits-behind-it', async (bench) => {
        const topic = bench.topic({ ordering: 'key', lanes: 4 });
        const queue = await bench.queue([topic]);
        const slow = gate();
        const { seen } = await bench.consume(queue, topic, ({ message }) =>
          message.key === 'slow' ? slow.opened : undefined,
        );

        await bench.time.until(
          queue.publishBatch(
            topic,
            many(50, (n) => ({ body: n, key: 'slow' })),
          ),
        );
        await bench.time.until(
          queue.publishBatch(
            topic,
            many(50, (n) => ({ body: n, key: `key ${n}` })),
          ),
        );
        await bench.time.eventually('all others have come', () => seen.length === 51);
        slow.open();
      }),
      queueCase('a-slow-key-stops-no-other-lane-whatever-waits-behind-it', async (bench) => {
        const topic = bench.topic({ ordering: 'key', lanes: 4 });
        const queue = await bench.queue([topic]);
        const elsewhere = many(100, (n) => `key ${n}`).filter((key) => laneOf(key, 4) !== laneOf('slow', 4));
        const { seen } = await bench.consume(queue, topic, ({ message }) =>
          message.key === 'slow' ? never() : undefined,
        );

        await bench.time.until(
          queue.publishBatch(
            topic,
            many(500, (n) => ({ body: n, key: 'slow' })),
          ),
        );
        await bench.time.until(
          queue.publishBatch(
            topic,
            elsewhere.map((key) => ({ body: null, key })),
          ),
        );

        await bench.time.eventually('all others have come', () => seen.length === 1 + elsewhere.length);
      }),
      driverCase('lanes-are-shared-again-when-readers-come-and-go', async (bench) => {
        const topic = await bench.declare({ ordering: 'key' });
        const first = await bench.subscribe(topic);
        const second = await bench.subscribe(topic, { driver: await bench.open() });
        await bench.time.until(first.close());
        await bench.send(...many(32, (n) => bench.entry(topic, `m${n}`, { key: `key ${n}` })));

        const third = await bench.subscribe(topic, { driver: await bench.open() });
        const seen: (string | null)[] = [];
        await bench.time.eventually('all have come', async () => {
          for (const reader of [second, third]) {
            const received = await bench.ask(reader, 100, bench.time.quietMs / 5);
            seen.push(...idsOf(received));
            await reader.settle(received.map(({ receipt }) => ack(receipt)));
          }
          return seen.length >= 32;
        });

        assert.equal(new Set(seen).size, 32);
      }),
    ],
  ),
];

/** With full isolation a key has one message in hand; with a window its lane may have several, all with one reader. */
function checkHolders(bench: DriverBench, holders: readonly { readonly reader: number }[]): void {
  if (bench.capabilities.ordering.keyIsolation === 'full') assert.equal(holders.length, 1, 'two of a key are in hand');
  assert.equal(new Set(holders.map(({ reader }) => reader)).size, 1, 'a key is in the hands of two readers');
}

/** Receives the head of a key, whatever the backend hands out with it goes back. */
async function headOf(bench: DriverBench, reader: DriverSubscription, id: string): Promise<Received> {
  const received = await bench.receive(reader, 1);
  const head = received.find(({ message }) => message.id === id);
  assert.ok(head !== undefined, `${id} is not the head of its key`);
  return head;
}
