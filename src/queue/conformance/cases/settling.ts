import assert from 'node:assert/strict';
import { gate, many, never, sorted, untilAborted } from '../bench.js';
import { type Case, driverCase, promise, queueCase } from '../case.js';
import { backoff, type Delivery, PermanentError, type SettleResult } from '../contract.js';
import { ack, eventful, giveBack, idsOf, plain, release, whole } from '../driver-bench.js';
import { Interruption } from '../interference.js';
import { ids } from '../queue-bench.js';

const quick = { initialMs: 20, jitter: 0 };

export const settling: readonly Case[] = [
  ...promise('S1', '`ack()`: done for this group.', [
    driverCase('what-was-acked-is-gone-for-new-clients-too', async (bench) => {
      const topic = await bench.declare();
      const reader = await bench.subscribe(topic);
      await bench.send(...many(3, (n) => bench.entry(topic, `m${n}`)));
      const received = await bench.receive(reader, 3);

      await bench.settleDone(reader, ...received.map(({ receipt }) => ack(receipt)));
      await bench.time.until(reader.close());

      const later = await bench.subscribe(topic, { driver: await bench.open() });
      await bench.nothing(
        later,
        (bench.capabilities.lease?.ms ?? 0) * (bench.time.isVirtual ? 2 : 0) + bench.time.quietMs,
      );
    }),
    driverCase('settling-one-of-a-batch-leaves-the-others-held', async (bench) => {
      const topic = await bench.declare();
      const reader = await bench.subscribe(topic);
      await bench.send(...many(5, (n) => bench.entry(topic, `m${n}`)));
      const received = await bench.receive(reader, 5);
      const [first, ...others] = received;

      await bench.settleDone(reader, ack(first?.receipt as object));
      await bench.nothing(reader);
      await bench.time.until(reader.close());

      const again = await bench.drain(await bench.subscribe(topic));
      assert.deepEqual(sorted(again), sorted(idsOf(others)));
    }),
    queueCase('a-handler-that-returns-acks', async (bench) => {
      const topic = bench.topic({ groups: { one: {}, two: {} } });
      const queue = await bench.queue([topic]);
      const { seen } = await bench.consume(queue, topic, () => 'anything', { group: 'one' });

      await queue.publish(topic, null, { id: 'm' });
      await bench.time.eventually('it has come', () => seen.length === 1);

      await bench.isEmpty(queue, topic, 'one');
      assert.deepEqual(ids(await bench.drain(queue, topic, 'two')), ['m']);
      await bench.isEmpty(queue, topic, 'two');
    }),
  ]),
  ...promise(
    'S2',
    "`nack(requeueAfterMs?)`: failed, try again, after the given delay, or after the topic's back-off if none is given; attempt + 1; the nack of attempt `maxAttempts` makes a dead letter with that nack's reason.",
    [
      driverCase('a-release-comes-back-after-its-delay-with-its-new-counts', async (bench) => {
        const topic = await bench.declare();
        const reader = await bench.subscribe(topic);
        await bench.send(bench.entry(topic, 'again'));
        const { receipt } = await bench.receiveOne(reader);
        const startedAt = bench.time.now();

        const delayMs = bench.time.ample(300);
        await bench.settleDone(reader, release(receipt, delayMs, { attempt: 3, postpones: 2, firstFailedAt: 12_345 }));
        await bench.nothing(reader, 0);
        const [again] = await bench.ask(reader, 1, delayMs + 5_000);

        const tookMs = bench.time.now() - startedAt;
        assert.deepEqual(again?.counts, { attempt: 3, postpones: 2, firstFailedAt: 12_345 });
        assert.deepEqual([again?.message.id, again?.redeliveries], ['again', 0]);
        assert.ok(
          tookMs >= delayMs && tookMs <= delayMs + bench.capabilities.delay.resolutionMs + bench.time.lateMs,
          `${tookMs} ms`,
        );
      }),
      driverCase('what-is-released-comes-back-whole-with-counts-of-any-size', async (bench) => {
        const topic = await bench.declare({ ordering: 'key' });
        const reader = await bench.subscribe(topic);
        await bench.send(bench.entry(topic, 'whole', eventful));
        const first = await bench.receiveOne(reader);
        const counts = { attempt: 70_000, postpones: 3_000_000, firstFailedAt: 1_750_000_000_456 };

        await bench.settleDone(reader, release(first.receipt, 0, counts));

        const again = await bench.receiveOne(reader);
        assert.deepEqual(again.counts, counts);
        for (const { message } of [first, again]) assert.deepEqual(plain(message), plain(whole(topic.name)));
        await bench.settleDone(reader, ack(again.receipt));
      }),
      driverCase(
        'a-release-of-thirty-days-waits-in-full',
        async (bench) => {
          const topic = await bench.declare();
          const reader = await bench.subscribe(topic);
          await bench.send(bench.entry(topic, 'far'));
          const thirtyDaysMs = 30 * 24 * 60 * 60 * 1_000;

          await bench.settleDone(reader, release((await bench.receiveOne(reader)).receipt, thirtyDaysMs));

          await bench.time.pass(thirtyDaysMs - 1_000);
          await bench.nothing(reader);
          await bench.time.pass(1_000);
          assert.deepEqual(idsOf(await bench.receive(reader, 1)), ['far']);
        },
        'virtual time',
      ),
      driverCase('a-release-without-a-delay-comes-back-at-once', async (bench) => {
        const topic = await bench.declare();
        const reader = await bench.subscribe(topic);
        await bench.send(bench.entry(topic, 'again'));

        await bench.settleDone(reader, release((await bench.receiveOne(reader)).receipt, 0, { attempt: 2 }));

        assert.equal((await bench.receiveOne(reader)).counts.attempt, 2);
      }),
      queueCase('a-nack-comes-again-as-the-next-attempt-after-its-delay', async (bench) => {
        const topic = bench.topic();
        const queue = await bench.queue([topic]);
        const reading = bench.subscribe(queue, topic);
        await queue.publish(topic, 'body', { id: 'm', headers: { h: 'v' } });
        const first = await reading.next();
        const startedAt = bench.time.now();

        await bench.time.until(first.nack(250));
        const second = await reading.next();

        const tookMs = bench.time.now() - startedAt;
        assert.ok(
          tookMs >= 250 && tookMs <= 250 + bench.capabilities.delay.resolutionMs + bench.time.lateMs,
          `${tookMs} ms`,
        );
        assert.deepEqual([first.attempt, second.attempt, second.postpones, second.redeliveries], [1, 2, 0, 0]);
        assert.deepEqual(
          [second.message.id, second.message.body, { ...second.message.headers }],
          ['m', 'body', { h: 'v' }],
        );
      }),
      queueCase('a-handler-that-throws-nacks-also-when-it-throws-at-once-or-rejects', async (bench) => {
        const topic = bench.topic({ backoff: quick });
        const queue = await bench.queue([topic]);
        const attempts: number[] = [];
        await bench.consume(queue, topic, ({ attempt }) => {
          attempts.push(attempt);
          if (attempt === 1) throw new Error('at once');
          if (attempt === 2) return Promise.reject(new Error('rejected'));
          // biome-ignore lint/style/useThrowOnlyError: handlers throw what they like
          if (attempt === 3) throw 'a text';
          // biome-ignore lint/style/useThrowOnlyError: handlers throw what they like
          if (attempt === 4) throw null;
          return undefined;
        });

        await queue.publish(topic, null);
        await bench.time.eventually('it was handled', () => attempts.length === 5);

        assert.deepEqual(attempts, [1, 2, 3, 4, 5]);
        await bench.isEmpty(queue, topic);
      }),
      queueCase('the-nack-of-the-last-attempt-makes-a-dead-letter-with-its-reason', async (bench) => {
        const topic = bench.topic({ maxAttempts: 2, backoff: quick });
        const queue = await bench.queue([topic]);
        const reading = bench.subscribe(queue, topic);
        await queue.publish(topic, null, { id: 'm' });

        await bench.time.until((await reading.next()).nack(0, 'the first reason'));
        await bench.time.until((await reading.next()).nack(0, 'the last reason'));

        const { letters } = await queue.admin.deadLetters(topic).list();
        assert.deepEqual(
          letters.map(({ id, death }) => [id, death?.cause, death?.reason, death?.attempt]),
          [['m', 'attempts-exhausted', 'the last reason', 2]],
        );
        await bench.isEmpty(queue, topic);
      }),
      queueCase('a-nack-in-one-group-is-not-seen-by-another', async (bench) => {
        const topic = bench.topic({ groups: { failing: {}, other: {} }, backoff: quick });
        const queue = await bench.queue([topic]);
        const failing = await bench.consume(
          queue,
          topic,
          ({ attempt }) => {
            if (attempt < 3) throw new Error('again');
          },
          { group: 'failing' },
        );
        const other = await bench.consume(queue, topic, () => {}, { group: 'other' });

        await queue.publish(topic, null);
        await bench.time.eventually('it was handled', () => failing.seen.length === 3);

        assert.deepEqual(
          other.seen.map(({ attempt }) => attempt),
          [1],
        );
      }),
      queueCase('a-delay-that-cannot-be-is-refused-and-the-delivery-is-still-held', async (bench) => {
        const topic = bench.topic();
        const queue = await bench.queue([topic]);
        await queue.publish(topic, null);
        const delivery = await bench.subscribe(queue, topic).next();

        for (const ms of [Number.NaN, Number.POSITIVE_INFINITY, bench.capabilities.delay.maxMs + 1]) {
          await bench.rejects('invalid', () => delivery.nack(ms));
          await bench.rejects('invalid', () => delivery.postpone(ms));
        }

        await bench.time.until(delivery.ack());
        await bench.isEmpty(queue, topic);
      }),
    ],
  ),
  ...promise(
    'S3',
    '`postpone(delayMs)`: nothing failed, come back later; postpones + 1, attempt unchanged: any number of postpones never makes a dead letter.',
    [
      queueCase('fifty-postpones-leave-the-attempt-alone', async (bench) => {
        const topic = bench.topic({ maxAttempts: 2 });
        const queue = await bench.queue([topic]);
        const counts: [number, number][] = [];
        await bench.consume(queue, topic, async (delivery) => {
          counts.push([delivery.attempt, delivery.postpones]);
          if (delivery.postpones < 50) await delivery.postpone(5);
        });

        await queue.publish(topic, null);
        await bench.time.eventually('it was handled', () => counts.length === 51);

        assert.deepEqual(
          counts,
          many(51, (n) => [1, n]),
        );
        assert.equal((await queue.admin.deadLetters(topic).list()).letters.length, 0);
        await bench.isEmpty(queue, topic);
      }),
      queueCase('a-postpone-waits-for-its-delay', async (bench) => {
        const topic = bench.topic();
        const queue = await bench.queue([topic]);
        const reading = bench.subscribe(queue, topic);
        await queue.publish(topic, null);
        const first = await reading.next();
        const startedAt = bench.time.now();

        await bench.time.until(first.postpone(250));
        const second = await reading.next();

        const tookMs = bench.time.now() - startedAt;
        assert.ok(
          tookMs >= 250 && tookMs <= 250 + bench.capabilities.delay.resolutionMs + bench.time.lateMs,
          `${tookMs} ms`,
        );
        assert.deepEqual([second.attempt, second.postpones], [1, 1]);
      }),
    ],
  ),
  ...promise('S4', '`reject(reason)`: poison, a dead letter now.', [
    queueCase('a-rejected-message-is-a-dead-letter-at-once', async (bench) => {
      const topic = bench.topic();
      const queue = await bench.queue([topic]);
      const reading = bench.subscribe(queue, topic);
      await queue.publish(topic, null, { id: 'm' });

      await bench.time.until((await reading.next()).reject('poison'));

      const { letters } = await queue.admin.deadLetters(topic).list();
      assert.deepEqual(
        letters.map(({ id, death }) => [id, death?.cause, death?.reason, death?.attempt]),
        [['m', 'rejected', 'poison', 1]],
      );
      await bench.isEmpty(queue, topic);
      assert.equal(await reading.nextNow(), null);
    }),
    queueCase('a-permanent-error-rejects', async (bench) => {
      const topic = bench.topic();
      const queue = await bench.queue([topic]);
      const { seen } = await bench.consume(queue, topic, () => {
        throw new PermanentError('there is no such customer');
      });

      await queue.publish(topic, null);
      await bench.time.eventually(
        'it is dead',
        async () => (await queue.admin.deadLetters(topic).list()).letters.length === 1,
      );

      const [letter] = (await queue.admin.deadLetters(topic).list()).letters;
      assert.equal(seen.length, 1);
      assert.deepEqual(
        [letter?.death?.cause, letter?.death?.reason, letter?.death?.error?.name],
        ['rejected', 'there is no such customer', 'PermanentError'],
      );
    }),
  ]),
  ...promise(
    'S5',
    '`extend(ms)`: still working; the lease ends `ms` from now, at most 24 h. The library extends leases by itself while a message is held; by hand it is needed only where that is off, and it is `unsupported` where there is no lease.',
    [
      queueCase(
        'a-handler-that-takes-longer-than-the-lease-is-not-disturbed',
        async (bench) => {
          const topic = bench.topic();
          const [one, two] = [await bench.queue([topic]), await bench.queue([topic])];
          const leaseMs = bench.capabilities.lease?.ms ?? 0;
          let lost = false;
          const settled = [one, two].map((queue) => bench.listen(queue, 'settled'));
          const handler = async (delivery: Delivery): Promise<void> => {
            delivery.signal.addEventListener('abort', () => {
              lost = true;
            });
            await bench.time.sleep(4 * leaseMs);
          };
          const consumers = [await bench.consume(one, topic, handler), await bench.consume(two, topic, handler)];

          await one.publish(topic, null);
          await bench.time.eventually('it was acked', () => settled.flat().length > 0, 5 * leaseMs);
          await bench.time.pass(leaseMs);

          assert.deepEqual([consumers.flatMap(({ seen }) => seen).length, lost], [1, false]);
        },
        'lease',
        'virtual time',
      ),
      queueCase(
        'what-waits-unstarted-keeps-its-lease-too',
        async (bench) => {
          const topic = bench.topic();
          const queue = await bench.queue([topic]);
          await bench.time.until(
            queue.publishBatch(
              topic,
              many(5, (n) => ({ body: n })),
            ),
          );
          const leaseMs = bench.capabilities.lease?.ms ?? 0;
          const { seen } = await bench.consume(queue, topic, () => bench.time.sleep(leaseMs), { concurrency: 1 });

          await bench.time.eventually('all were handled', () => seen.length >= 5, 10 * leaseMs);
          await bench.time.pass(2 * leaseMs);

          assert.deepEqual(
            seen.map(({ redeliveries }) => redeliveries),
            [0, 0, 0, 0, 0],
          );
        },
        'lease',
        'virtual time',
      ),
      queueCase(
        'an-extension-by-hand-keeps-the-lease-for-so-long',
        async (bench) => {
          const topic = bench.topic();
          let received = 0;
          const queue = await bench.queue([topic], {
            // Whose lease ended may be handed it again as well as anybody else.
            interference: { receive: (next, signal) => (received++ === 0 ? next() : untilAborted(signal)) },
          });
          const leaseMs = bench.capabilities.lease?.ms ?? 0;
          await queue.publish(topic, null);
          const holding = bench.subscribe(queue, topic, { leaseExtension: 'manual', prefetch: 1 });
          const delivery = await holding.next();
          const other = bench.subscribe(await bench.queue([topic]), topic);

          await bench.time.pass(leaseMs - 1_000);
          await bench.time.until(delivery.extend(leaseMs));
          await bench.time.pass(leaseMs - 1);
          const before = await other.nextNow();
          await bench.time.pass(1);
          const after = await other.nextNow();

          assert.deepEqual([before, after?.message.id], [null, delivery.message.id]);
          assert.equal(delivery.signal.aborted, true);
          await bench.rejects('invalid', () => (after as Delivery).extend(0));
          await bench.rejects('lease-lost', () => delivery.extend(leaseMs));
        },
        'lease',
        'virtual time',
      ),
      queueCase(
        'an-extension-by-more-than-a-day-is-refused-and-the-delivery-stays-held',
        async (bench) => {
          const topic = bench.topic();
          const queue = await bench.queue([topic]);
          await queue.publish(topic, null);
          const delivery = await bench.subscribe(queue, topic, { leaseExtension: 'manual' }).next();

          for (const ms of [86_400_001, Number.POSITIVE_INFINITY, Number.NaN, -1])
            await bench.rejects('invalid', () => delivery.extend(ms));
          await bench.time.until(delivery.extend(86_400_000));

          await bench.time.until(delivery.ack());
          await bench.isEmpty(queue, topic);
        },
        'lease',
      ),
      queueCase(
        'extending-by-hand-is-refused-where-there-is-no-lease-and-the-delivery-stays-held',
        async (bench) => {
          const topic = bench.topic();
          const queue = await bench.queue([topic]);
          await queue.publish(topic, null);
          const delivery = await bench.subscribe(queue, topic).next();

          await bench.rejects('unsupported', () => delivery.extend(1_000));

          await bench.time.until(delivery.ack());
          await bench.isEmpty(queue, topic);
        },
        'no lease',
      ),
      driverCase(
        'an-extension-lets-the-lease-end-so-long-from-now',
        async (bench) => {
          const topic = await bench.declare();
          const [holder, other] = [await bench.subscribe(topic), await bench.subscribe(topic)];
          const leaseMs = bench.capabilities.lease?.ms ?? 0;
          await bench.send(bench.entry(topic, 'held'));
          const { receipt } = await bench.receiveOne(holder);

          await bench.time.pass(leaseMs / 2);
          const [answer] = await bench.time.until(holder.lease?.extend([receipt], leaseMs) ?? never());
          await bench.time.pass(leaseMs - 1);
          await bench.nothing(other);
          await bench.time.pass(1);

          assert.equal(answer, 'done');
          assert.deepEqual(idsOf(await bench.receive(other, 1)), ['held']);
          assert.deepEqual(await bench.time.until(holder.lease?.extend([receipt], leaseMs) ?? never()), ['lost']);
          await bench.nothing(holder);
        },
        'lease',
        'virtual time',
      ),
      driverCase(
        'an-extension-may-shorten-a-lease',
        async (bench) => {
          const topic = await bench.declare();
          const [holder, other] = [await bench.subscribe(topic), await bench.subscribe(topic)];
          const shortMs = (bench.capabilities.lease?.ms ?? 0) / 4;
          await bench.send(bench.entry(topic, 'held'));
          const { receipt } = await bench.receiveOne(holder);

          await bench.time.until(holder.lease?.extend([receipt], shortMs) ?? never());
          await bench.time.pass(shortMs);

          assert.deepEqual(idsOf(await bench.receive(other, 1, shortMs)), ['held']);
          assert.deepEqual(await bench.settle(holder, ack(receipt)), ['lost']);
        },
        'lease',
        'virtual time',
      ),
      queueCase(
        'an-extension-that-fails-is-tried-again-in-time',
        async (bench) => {
          const topic = bench.topic();
          let failures = 2;
          const queue = await bench.queue([topic], {
            interference: {
              extend: (next) => (failures-- > 0 ? Promise.reject(new Interruption()) : next()),
            },
          });
          await queue.publish(topic, null);
          const delivery = await bench.subscribe(queue, topic).next();

          await bench.time.pass(3 * (bench.capabilities.lease?.ms ?? 0));

          await bench.time.until(delivery.ack());
          assert.equal(delivery.signal.aborted, false);
        },
        'lease',
        'virtual time',
      ),
      driverCase(
        'no-lease-is-declared-where-there-is-none',
        async (bench) => {
          const reader = await bench.subscribe(await bench.declare());

          assert.equal(reader.lease, null);
        },
        'no lease',
      ),
      driverCase(
        'a-subscription-has-the-lease-that-is-declared',
        async (bench) => {
          const reader = await bench.subscribe(await bench.declare());

          assert.equal(reader.lease?.ms, bench.capabilities.lease?.ms);
        },
        'lease',
      ),
    ],
  ),
  ...promise(
    'S6',
    'Nothing (a crash, a cut, a lost lease, the deadline of `close`): handed out again, redeliveries + 1, attempt unchanged.',
    [
      driverCase('each-hand-out-without-an-answer-is-counted-and-an-answer-counts-anew', async (bench) => {
        const topic = await bench.declare();
        await bench.send(bench.entry(topic, 'm'));
        const counted: number[] = [];
        const attempts: number[] = [];
        const handOut = async (): Promise<void> => {
          const reader = await bench.subscribe(topic);
          const { redeliveries, counts } = await bench.receiveOne(reader, bench.recoveryMs);
          counted.push(redeliveries);
          attempts.push(counts.attempt);
          await bench.time.until(reader.close());
        };
        for (let n = 0; n < 4; n++) await handOut();

        const reader = await bench.subscribe(topic);
        await bench.settleDone(reader, release((await bench.receiveOne(reader)).receipt, 0, { attempt: 2 }));
        await bench.time.until(reader.close());
        await handOut();

        const { countsRedeliveries, countsGiveBack } = bench.capabilities;
        const expected = [0, 1, 2, 3, 0].map((n) => (countsRedeliveries ? n : Math.min(n, 1)));
        // A backend that pushes had pushed it to the reader that was closed, which gave it back.
        const last = countsGiveBack ? Math.min(counted.at(-1) ?? 0, 1) : 0;
        assert.deepEqual(counted, [...expected.slice(0, -1), last]);
        assert.deepEqual(attempts, [1, 1, 1, 1, 2]);
      }),
      driverCase(
        'a-lost-lease-hands-out-again-and-counts',
        async (bench) => {
          const topic = await bench.declare();
          const [holder, other] = [await bench.subscribe(topic), await bench.subscribe(topic)];
          const leaseMs = bench.capabilities.lease?.ms ?? 0;
          await bench.send(bench.entry(topic, 'm'));
          await bench.receiveOne(holder);

          await bench.time.pass(leaseMs - 1);
          await bench.nothing(other);
          await bench.time.pass(1);

          const again = await bench.receiveOne(other);
          assert.deepEqual([again.message.id, again.redeliveries, again.counts.attempt], ['m', 1, 1]);
        },
        'lease',
        'virtual time',
      ),
      queueCase('the-deadline-of-close-hands-out-again-without-counting-an-attempt', async (bench) => {
        const topic = bench.topic();
        const queue = await bench.queue([topic]);
        await queue.publish(topic, null, { id: 'm' });
        const { consumer, seen } = await bench.consume(queue, topic, () => never());
        await bench.time.eventually('it has come', () => seen.length === 1);

        await bench.time.until(consumer.close({ deadlineMs: 100 }));

        const [again] = await bench.drain(queue, topic);
        assert.deepEqual([again?.message.id, again?.attempt, again?.redeliveries], ['m', 1, 1]);
        assert.equal((await queue.admin.deadLetters(topic).list()).letters.length, 0);
      }),
      driverCase(
        'counts-hold-over-kills-and-new-clients',
        async (bench) => {
          const topic = await bench.declare();
          const first = await bench.open();
          await bench.send(bench.entry(topic, 'm'));
          const reader = await bench.subscribe(topic, { driver: first });
          const counts = { attempt: 4, postpones: 7, firstFailedAt: 99 };
          await bench.settleDone(reader, release((await bench.receiveOne(reader)).receipt, 0, counts));
          await bench.receiveOne(reader);

          await bench.kill(first);

          const again = await bench.receiveOne(
            await bench.subscribe(topic, { driver: await bench.open() }),
            bench.recoveryMs,
          );
          assert.deepEqual([again.counts, again.redeliveries], [counts, 1]);
        },
        'killSubscriber',
      ),
    ],
  ),
  ...promise(
    'S7',
    'Give-back (a clean stop before the handler started): available at once to others, never an attempt; a redelivery only where the backend declares `countsGiveBack`.',
    [
      driverCase('what-is-given-back-is-there-for-others-at-once', async (bench) => {
        const topic = await bench.declare();
        const [one, two] = [await bench.subscribe(topic), await bench.subscribe(topic, { driver: await bench.open() })];
        await bench.send(bench.entry(topic, 'm'));
        const { receipt } = await bench.receiveOne(one);

        await bench.settleDone(one, giveBack(receipt));

        const again = await bench.receiveByAny([two, one], 1);
        assert.deepEqual(idsOf(again), ['m']);
        assert.equal(again[0]?.counts.attempt, 1);
        assert.equal(again[0]?.redeliveries, bench.capabilities.countsGiveBack ? 1 : 0);
        await bench.nothing(one);
        await bench.nothing(two);
      }),
      queueCase('a-clean-stop-gives-back-what-was-not-started', async (bench) => {
        const topic = bench.topic();
        const [stopping, other] = [await bench.queue([topic]), await bench.queue([topic])];
        await bench.time.until(
          stopping.publishBatch(
            topic,
            many(10, (n) => ({ body: n, id: `m${n}` })),
          ),
        );
        const slow = gate();
        const { consumer, seen } = await bench.consume(stopping, topic, () => slow.opened, { concurrency: 1 });
        await bench.time.eventually('one has come', () => seen.length === 1);

        const closing = consumer.close();
        await bench.time.settle();
        const { seen: seenByOther } = await bench.consume(other, topic);
        await bench.time.eventually('the rest has come', () => seenByOther.length === 9);
        slow.open();
        await bench.time.until(closing);

        assert.deepEqual(sorted([...ids(seen), ...ids(seenByOther)]), sorted(many(10, (n) => `m${n}`)));
        const redeliveries = bench.capabilities.countsGiveBack ? 1 : 0;
        for (const delivery of seenByOther)
          assert.deepEqual([delivery.attempt, delivery.redeliveries], [1, redeliveries]);
      }),
      queueCase('a-clean-stop-on-an-ordered-topic-gives-back-what-was-not-started', async (bench) => {
        const topic = bench.topic({ ordering: 'key' });
        const [stopping, other] = [await bench.queue([topic]), await bench.queue([topic])];
        await bench.time.until(
          stopping.publishBatch(
            topic,
            many(10, (n) => ({ body: n, key: `key ${n}`, id: `m${n}` })),
          ),
        );
        const slow = gate();
        const { consumer, seen } = await bench.consume(stopping, topic, () => slow.opened, { concurrency: 1 });
        await bench.time.eventually('one has come', () => seen.length === 1);

        const closing = consumer.close();
        slow.open();
        await bench.time.until(closing);
        const { seen: seenByOther } = await bench.consume(other, topic);
        await bench.time.eventually('the rest has come', () => seenByOther.length === 9);

        const redeliveries = bench.capabilities.countsGiveBack ? 1 : 0;
        for (const delivery of seenByOther)
          assert.deepEqual([delivery.attempt, delivery.redeliveries], [1, redeliveries]);
      }),
    ],
  ),
  ...promise(
    '17.1',
    '`delivery.outbox` collects messages that leave with the ack and are dropped when the delivery is not acked; their delays count from the settle.',
    [
      queueCase('what-is-in-the-outbox-leaves-with-the-ack', async (bench) => {
        const [topic, next] = [bench.topic(), bench.topic({ ordering: 'key' })];
        const queue = await bench.queue([topic, next]);
        const { seen } = await bench.consume(queue, next);
        await queue.publish(topic, null);
        const delivery = await bench.subscribe(queue, topic).next();

        const { id } = await delivery.outbox.publish(next, 0, { key: 'k', headers: { h: 'v' }, routingKey: 'r' });
        await delivery.outbox.publishBatch(next, [
          { body: 1, key: 'k' },
          { body: 2, key: 'k', delayMs: 200 },
        ]);
        await bench.time.settle();
        const before = seen.length;
        await bench.time.until(delivery.ack());
        await bench.time.eventually('all have come', () => seen.length === 3);

        assert.equal(before, 0);
        assert.deepEqual(
          seen.map(({ message }) => message.body),
          [0, 1, 2],
        );
        const message = seen[0]?.message;
        assert.deepEqual([message?.id, message?.headers.h, message?.routingKey], [id, 'v', 'r']);
      }),
      queueCase('the-outbox-of-what-is-not-acked-is-dropped', async (bench) => {
        const [topic, next] = [bench.topic({ backoff: quick }), bench.topic()];
        const queue = await bench.queue([topic, next]);
        const endings: Record<string, (delivery: Delivery) => Promise<void>> = {
          nack: (delivery) => delivery.nack(3_600_000),
          postpone: (delivery) => delivery.postpone(3_600_000),
          reject: (delivery) => delivery.reject('poison'),
          throw: () => Promise.reject(new PermanentError('thrown')),
        };
        const { seen } = await bench.consume(queue, topic, async (delivery) => {
          await delivery.outbox.publish(next, delivery.message.body);
          await endings[delivery.message.body as string]?.(delivery);
        });

        for (const ending of Object.keys(endings)) await queue.publish(topic, ending);
        await bench.time.eventually('all were settled', () => seen.length === 4);
        await bench.time.settle();

        await bench.isEmpty(queue, next);
        assert.deepEqual(await bench.drain(queue, next), []);
      }),
      queueCase('the-delay-of-an-outbox-entry-counts-from-the-ack', async (bench) => {
        const [topic, next] = [bench.topic(), bench.topic()];
        const queue = await bench.queue([topic, next]);
        let arrivedAt = 0;
        await bench.consume(queue, next, () => {
          arrivedAt = bench.time.now();
        });
        await queue.publish(topic, null);
        const delivery = await bench.subscribe(queue, topic).next();
        await delivery.outbox.publishAfter(next, null, 300);

        await bench.time.pass(500);
        const ackedAt = bench.time.now();
        await bench.time.until(delivery.ack());
        await bench.time.eventually('it has come', () => arrivedAt > 0);

        assert.ok(arrivedAt - ackedAt >= 300, `${arrivedAt - ackedAt} ms after the ack`);
      }),
      queueCase('what-the-outbox-refuses-is-not-collected-and-harms-nothing-else', async (bench) => {
        const [topic, next] = [bench.topic(), bench.topic()];
        const queue = await bench.queue([topic, next]);
        await queue.publish(topic, null);
        const delivery = await bench.subscribe(queue, topic).next();

        await delivery.outbox.publish(next, 'good');
        await bench.rejects('invalid', delivery.outbox.publish(next, 10n));
        await bench.rejects('invalid', delivery.outbox.publishAfter(next, 1, Number.NaN));
        await bench.time.until(delivery.ack());

        assert.deepEqual(
          (await bench.drain(queue, next)).map(({ message }) => message.body),
          ['good'],
        );
        await bench.rejects('already-settled', () => delivery.outbox.publish(next, 'late'));
      }),
      queueCase(
        'the-outbox-of-a-lost-delivery-does-not-leave',
        async (bench) => {
          const [topic, next] = [bench.topic(), bench.topic()];
          const { queue, driver } = await bench.opened([topic, next]);
          await queue.publish(topic, null);
          const delivery = await bench.subscribe(queue, topic, { prefetch: 1 }).next();
          await delivery.outbox.publish(next, 'stale');

          await bench.cut(driver);
          await bench.time.eventually('it is lost', () => delivery.signal.aborted, bench.recoveryMs);
          await bench.rejects('lease-lost', () => delivery.ack());

          assert.deepEqual(await bench.drain(queue, next), []);
        },
        'cutConnections',
      ),
    ],
  ),
  ...promise(
    '17.2',
    'Where `atomicOutbox` is declared the outbox and the ack happen in the same instant or not at all; elsewhere the outbox is confirmed before the ack. An entry that fails fails the settlement, and nothing is acked.',
    [
      driverCase('an-entry-that-fails-fails-the-ack-and-the-message-stays-held', async (bench) => {
        const topic = await bench.declare();
        const narrow = await bench.declare({ groups: [{ name: 'default', patterns: ['known'] }] });
        const reader = await bench.subscribe(topic);
        await bench.send(bench.entry(topic, 'm'));
        const { receipt } = await bench.receiveOne(reader);

        const [result] = await bench.settle(
          reader,
          ack(receipt, [bench.entry(narrow, 'bad', { routingKey: 'unknown' })]),
        );

        assert.equal(result, 'failed');
        await bench.nothing(reader);
        await bench.settleDone(reader, ack(receipt, [bench.entry(narrow, 'good', { routingKey: 'known' })]));
        assert.deepEqual(await bench.drain(await bench.subscribe(narrow)), ['good']);
      }),
      driverCase(
        'of-an-outbox-with-an-entry-that-fails-nothing-is-stored',
        async (bench) => {
          const topic = await bench.declare();
          const narrow = await bench.declare({ groups: [{ name: 'default', patterns: ['known'] }] });
          const reader = await bench.subscribe(topic);
          await bench.send(bench.entry(topic, 'm'));
          const { receipt } = await bench.receiveOne(reader);

          const outbox = ['known', 'unknown'].map((routingKey) => bench.entry(narrow, routingKey, { routingKey }));
          const [result] = await bench.settle(reader, ack(receipt, outbox));

          assert.equal(result, 'failed');
          assert.deepEqual(await bench.drain(await bench.subscribe(narrow)), []);
        },
        'atomicOutbox',
      ),
      driverCase(
        'the-outbox-of-a-stale-receipt-is-not-stored',
        async (bench) => {
          const [topic, next] = [await bench.declare(), await bench.declare()];
          const reader = await bench.subscribe(topic);
          await bench.send(bench.entry(topic, 'm'));
          const { receipt } = await bench.receiveOne(reader);
          await bench.settleDone(reader, release(receipt, 0));

          const [result] = await bench.settle(reader, ack(receipt, [bench.entry(next, 'stale')]));

          assert.equal(result, 'lost');
          assert.deepEqual(await bench.drain(await bench.subscribe(next)), []);
          assert.deepEqual(await bench.drain(reader), ['m']);
        },
        'atomicOutbox',
      ),
      driverCase('the-outbox-is-there-when-the-ack-has-been-answered', async (bench) => {
        const [topic, next] = [await bench.declare(), await bench.declare()];
        const reader = await bench.subscribe(topic);
        await bench.send(bench.entry(topic, 'm'));
        const { receipt } = await bench.receiveOne(reader);

        await bench.settleDone(
          reader,
          ack(
            receipt,
            many(10, (n) => bench.entry(next, `n${n}`)),
          ),
        );

        assert.deepEqual(sorted(await bench.drain(await bench.subscribe(next))), sorted(many(10, (n) => `n${n}`)));
        await bench.nothing(reader);
      }),
      queueCase(
        'an-ack-whose-outbox-nobody-accepts-is-refused-and-the-delivery-can-be-settled-otherwise',
        async (bench) => {
          const [topic, narrow] = [bench.topic(), bench.topic({ groups: { default: { patterns: ['known'] } } })];
          const queue = await bench.queue([topic, narrow]);
          await queue.publish(topic, null);
          const reading = bench.subscribe(queue, topic);
          const delivery = await reading.next();
          await delivery.outbox.publish(narrow, null, { routingKey: 'unknown' });

          await bench.rejects('unroutable', () => delivery.ack());
          await bench.time.until(delivery.nack(0));

          assert.equal((await reading.next()).attempt, 2);
        },
      ),
      queueCase('a-handler-whose-outbox-nobody-accepts-has-failed', async (bench) => {
        const [topic, narrow] = [
          bench.topic({ maxAttempts: 2, backoff: quick }),
          bench.topic({ groups: { default: { patterns: ['known'] } } }),
        ];
        const queue = await bench.queue([topic, narrow]);
        const { seen } = await bench.consume(queue, topic, async ({ outbox }) => {
          await outbox.publish(narrow, null, { routingKey: 'unknown' });
        });

        await queue.publish(topic, null);
        await bench.time.eventually(
          'it is dead',
          async () => (await queue.admin.deadLetters(topic).list()).letters.length === 1,
        );

        assert.deepEqual(
          seen.map(({ attempt }) => attempt),
          [1, 2],
        );
      }),
    ],
  ),
  ...promise('17.3', '`nack`, `postpone`, `reject` and dead-lettering never lose a message half-way.', [
    ...(['ack', 'nack', 'postpone', 'reject'] as const).map((verb) =>
      queueCase(
        `a-${verb}-that-never-reaches-the-backend-loses-nothing`,
        async (bench) => {
          const topic = bench.topic({ maxAttempts: 1 });
          const { queue } = await bench.opened([topic], {
            interference: {
              settle: async () => {
                throw new Interruption();
              },
            },
          });
          await queue.publish(topic, 'body', { id: 'm' });
          const delivery = await bench.subscribe(queue, topic).next();

          await bench.rejects('unavailable', () => settleBy(delivery, verb));
          await bench.time.until(queue.close({ deadlineMs: 0 }));
          await bench.time.pass(bench.recoveryMs);

          const other = await bench.queue([topic]);
          assert.deepEqual(
            (await bench.drain(other, topic)).map(({ message }) => message.body),
            ['body'],
          );
          assert.deepEqual((await other.admin.deadLetters(topic).list()).letters, []);
        },
        'virtual time',
      ),
    ),
    ...(['nack', 'postpone', 'reject'] as const).map((verb) =>
      queueCase(
        `a-${verb}-whose-answer-was-lost-leaves-exactly-one-copy`,
        async (bench) => {
          const topic = bench.topic({ maxAttempts: verb === 'nack' ? 1 : 5 });
          let calls = 0;
          const queue = await bench.queue([topic], {
            interference: {
              settle: async (next) => {
                const results = await next();
                if (calls++ === 0) throw new Interruption({ outcomeUnknown: true });
                return results;
              },
            },
          });
          await queue.publish(topic, 'body', { id: 'm' });
          const delivery = await bench.subscribe(queue, topic, { prefetch: 1 }).next();

          const error = await bench.rejects('unavailable', () => settleBy(delivery, verb));
          await bench.time.until(queue.close({ deadlineMs: 0 }));

          const other = await bench.queue([topic]);
          const { seen } = await bench.consume(other, topic);
          const copies = async (): Promise<number> =>
            seen.length + (await other.admin.deadLetters(topic).list()).letters.length;
          await bench.time.eventually('it is there', async () => (await copies()) > 0);
          await bench.time.pass(bench.time.isVirtual ? 60_000 : bench.time.ample(0));
          assert.equal(error.outcomeUnknown, true);
          assert.equal(await copies(), 1);
        },
        'lease',
      ),
    ),
    driverCase('a-dead-letter-is-stored-with-the-ack-of-its-message-or-not-at-all', async (bench) => {
      const topic = await bench.declare();
      const reader = await bench.subscribe(topic);
      await bench.send(bench.entry(topic, 'm'));
      const { receipt } = await bench.receiveOne(reader);
      const gone = bench.topology();

      const [result] = await bench.settle(reader, ack(receipt, [bench.entry(gone, 'letter')]));
      await bench.time.until(reader.close());

      assert.equal(result, 'failed');
      assert.deepEqual(await bench.drain(await bench.subscribe(topic)), ['m']);
    }),
  ]),
  ...promise(
    '18.1',
    'A settle answers done; or `lease-lost` or `already-settled`, and then nothing was changed and the newer holder is untouched; or an error with `outcomeUnknown` where it truly cannot be known: never a false `lease-lost`.',
    [
      driverCase('settling-again-is-lost-and-changes-nothing', async (bench) => {
        const topic = await bench.declare();
        const reader = await bench.subscribe(topic);
        await bench.send(bench.entry(topic, 'acked'), bench.entry(topic, 'released'));
        const received = await bench.receive(reader, 2);
        const acked = received.find(({ message }) => message.id === 'acked')?.receipt as object;
        const released = received.find(({ message }) => message.id === 'released')?.receipt as object;
        await bench.settleDone(reader, ack(acked), release(released, bench.time.ample(100)));

        const again = await bench.settle(
          reader,
          ack(acked),
          release(acked, 0),
          giveBack(acked),
          ack(released),
          release(released, 0),
        );

        assert.deepEqual(again, ['lost', 'lost', 'lost', 'lost', 'lost']);
        await bench.nothing(reader, 0);
        assert.deepEqual(idsOf(await bench.receive(reader, 1)), ['released']);
        await bench.nothing(reader);
      }),
      driverCase('one-stale-receipt-of-a-batch-stops-no-other', async (bench) => {
        const topic = await bench.declare();
        const reader = await bench.subscribe(topic);
        await bench.send(...['acked', 'stale', 'released'].map((id) => bench.entry(topic, id)));
        const received = await bench.receive(reader, 3);
        const receiptOf = (id: string): object => received.find(({ message }) => message.id === id)?.receipt as object;
        await bench.settleDone(reader, ack(receiptOf('stale')));

        const answers = await bench.settle(
          reader,
          ack(receiptOf('acked')),
          ack(receiptOf('stale')),
          release(receiptOf('released'), 0),
        );

        assert.deepEqual(answers, ['done', 'lost', 'done']);
        assert.deepEqual(await bench.drain(reader), ['released']);
      }),
      driverCase(
        'a-holder-whose-lease-is-lost-cannot-touch-the-newer-one',
        async (bench) => {
          const topic = await bench.declare();
          const stale = await bench.subscribe(topic);
          await bench.send(bench.entry(topic, 'm'));
          const { receipt } = await bench.receiveOne(stale);
          await bench.time.pass((bench.capabilities.lease?.ms ?? 0) + bench.time.quietMs);
          const newer = await bench.subscribe(topic, { driver: await bench.open() });
          const held = await bench.receiveOne(newer);

          const answers = await bench.settle(stale, ack(receipt), release(receipt, 0), giveBack(receipt));

          assert.deepEqual(answers, ['lost', 'lost', 'lost']);
          await bench.nothing(stale);
          await bench.settleDone(newer, ack(held.receipt));
          await bench.nothing(newer);
        },
        'lease',
      ),
      driverCase(
        'a-lost-lease-is-lost-also-when-nobody-took-the-message-yet',
        async (bench) => {
          const topic = await bench.declare();
          const reader = await bench.subscribe(topic);
          await bench.send(bench.entry(topic, 'm'));
          const { receipt } = await bench.receiveOne(reader);

          await bench.time.pass((bench.capabilities.lease?.ms ?? 0) + bench.time.quietMs);

          assert.deepEqual(await bench.settle(reader, ack(receipt)), ['lost']);
          assert.deepEqual(await bench.drain(reader), ['m']);
        },
        'lease',
      ),
      driverCase(
        'the-receipts-of-a-connection-that-was-cut-are-lost',
        async (bench) => {
          const topic = await bench.declare();
          const driver = await bench.open();
          const reader = await bench.subscribe(topic, { driver });
          await bench.send(bench.entry(topic, 'm'));
          const { receipt } = await bench.receiveOne(reader);

          await bench.cut(driver);

          const other = await bench.subscribe(topic);
          const again = await bench.receiveByAny([other], 1);
          let answer: string | undefined;
          await bench.time.eventually('the stale receipt is answered', async () => {
            answer = (await reader.settle([ack(receipt)]).catch(() => []))[0]?.status;
            return answer !== undefined;
          });
          assert.deepEqual([answer, idsOf(again)], ['lost', ['m']]);
          await bench.settleDone(other, ack(again[0]?.receipt as object));
        },
        'cutConnections',
        'no lease',
      ),
      queueCase('a-second-settle-is-already-settled-whatever-the-first-was', async (bench) => {
        const topic = bench.topic();
        const queue = await bench.queue([topic]);
        await bench.time.until(
          queue.publishBatch(
            topic,
            many(4, (n) => ({ body: n })),
          ),
        );
        const reading = bench.subscribe(queue, topic);
        const firsts: ((delivery: Delivery) => Promise<void>)[] = [
          (delivery) => delivery.ack(),
          (delivery) => delivery.nack(3_600_000),
          (delivery) => delivery.postpone(3_600_000),
          (delivery) => delivery.reject('poison'),
        ];

        for (const settle of firsts) {
          const delivery = await reading.next();
          await bench.time.until(settle(delivery));
          await bench.rejects('already-settled', () => delivery.ack());
          await bench.rejects('already-settled', () => delivery.nack(0));
          await bench.rejects('already-settled', () => delivery.postpone(0));
          await bench.rejects('already-settled', () => delivery.reject('again'));
          await bench.rejects('already-settled', () => delivery.extend(1_000));
        }

        assert.equal(await reading.nextNow(), null);
        assert.equal((await queue.admin.deadLetters(topic).list()).letters.length, 1);
      }),
      queueCase('of-two-settles-at-once-one-is-already-settled', async (bench) => {
        const topic = bench.topic();
        const queue = await bench.queue([topic]);
        await queue.publish(topic, null);
        const delivery = await bench.subscribe(queue, topic).next();

        const [first, second] = await bench.time.until(Promise.allSettled([delivery.ack(), delivery.nack(0)]));

        assert.equal(first?.status, 'fulfilled');
        assert.equal(second?.status === 'rejected' && second.reason.code, 'already-settled');
        await bench.isEmpty(queue, topic);
      }),
      queueCase(
        'an-ack-that-comes-too-late-is-lease-lost-and-the-newer-holder-keeps-it',
        async (bench) => {
          const topic = bench.topic();
          let received = 0;
          const one = await bench.queue([topic], {
            // The stale holder must not be the newer one as well.
            interference: { receive: (next, signal) => (received++ === 0 ? next() : untilAborted(signal)) },
          });
          const two = await bench.queue([topic]);
          await one.publish(topic, null, { id: 'm' });
          const stale = await bench.subscribe(one, topic, { leaseExtension: 'manual', prefetch: 1 }).next();
          await bench.time.pass((bench.capabilities.lease?.ms ?? 0) + bench.time.quietMs);
          const newer = await bench.subscribe(two, topic).next();

          await bench.rejects('lease-lost', () => stale.ack());
          await bench.rejects('lease-lost', () => stale.nack(0));

          await bench.time.until(newer.ack());
          await bench.isEmpty(one, topic);
        },
        'lease',
      ),
      queueCase('an-ack-whose-answer-was-lost-is-never-called-lease-lost', async (bench) => {
        const topic = bench.topic();
        let calls = 0;
        const queue = await bench.queue([topic], {
          interference: {
            settle: async (next) => {
              const results = await next();
              if (calls++ === 0) throw new Interruption({ outcomeUnknown: true });
              return results;
            },
          },
        });
        await queue.publish(topic, null);
        const delivery = await bench.subscribe(queue, topic, { prefetch: 1 }).next();

        const error = await bench.rejects('unavailable', () => delivery.ack());

        assert.equal(error.outcomeUnknown, true);
        await bench.isEmpty(queue, topic);
      }),
    ],
  ),
  ...promise('18.2', 'A lost lease aborts `delivery.signal`; a normal end does not.', [
    queueCase(
      'the-signal-is-aborted-when-the-lease-is-lost',
      async (bench) => {
        const topic = bench.topic();
        const queue = await bench.queue([topic]);
        await queue.publish(topic, null);
        const delivery = await bench.subscribe(queue, topic, { leaseExtension: 'manual', prefetch: 1 }).next();
        const { signal } = delivery;

        const before = signal.aborted;
        await bench.time.pass((bench.capabilities.lease?.ms ?? 0) + bench.time.quietMs);

        assert.deepEqual([before, signal.aborted, signal.reason?.code], [false, true, 'lease-lost']);
      },
      'lease',
    ),
    queueCase(
      'the-signal-is-aborted-when-an-extension-fails-until-the-lease-has-ended',
      async (bench) => {
        const topic = bench.topic();
        const queue = await bench.queue([topic], {
          interference: {
            extend: async () => {
              throw new Interruption();
            },
          },
        });
        await queue.publish(topic, null);
        const leaseMs = bench.capabilities.lease?.ms ?? 0;
        let abortedAfterMs: number | null = null;
        const startedAt = bench.time.now();
        await bench.consume(
          queue,
          topic,
          ({ signal }) => {
            signal.addEventListener('abort', () => {
              abortedAfterMs ??= bench.time.now() - startedAt;
            });
            return never();
          },
          { prefetch: 1, concurrency: 1 },
        );

        await bench.time.pass(leaseMs + 1_000);

        assert.equal(abortedAfterMs, leaseMs);
      },
      'lease',
      'virtual time',
    ),
    queueCase(
      'an-extension-that-hangs-keeps-nothing-from-going-on',
      async (bench) => {
        const topic = bench.topic();
        let extensions = 0;
        const queue = await bench.queue([topic], {
          interference: {
            extend: () => {
              extensions++;
              return never();
            },
          },
        });
        await queue.publish(topic, null);
        const leaseMs = bench.capabilities.lease?.ms ?? 0;
        const delivery = await bench.subscribe(queue, topic, { prefetch: 1 }).next();

        await bench.time.pass(leaseMs + 1_000);

        assert.equal(delivery.signal.aborted, true);
        assert.ok(extensions <= 3, `${extensions} extensions`);
      },
      'lease',
      'virtual time',
    ),
    queueCase(
      'the-signal-is-aborted-when-an-extension-is-answered-lost',
      async (bench) => {
        const topic = bench.topic();
        const queue = await bench.queue([topic], {
          interference: { extend: async (_, receipts) => receipts.map(() => 'lost') },
        });
        await queue.publish(topic, null);
        const delivery = await bench.subscribe(queue, topic, { prefetch: 1 }).next();

        await bench.time.pass((bench.capabilities.lease?.ms ?? 0) / 2);

        assert.equal(delivery.signal.aborted, true);
        await bench.rejects('lease-lost', () => delivery.ack());
      },
      'lease',
      'virtual time',
    ),
    queueCase(
      'the-signal-is-aborted-when-the-connection-is-cut-and-the-handler-cannot-settle',
      async (bench) => {
        const topic = bench.topic();
        const { queue, driver } = await bench.opened([topic]);
        await queue.publish(topic, null, { id: 'm' });
        const handled: string[] = [];
        const errors: unknown[] = [];
        const { seen } = await bench.consume(queue, topic, async (delivery) => {
          if (delivery.redeliveries > 0) {
            handled.push(delivery.message.id);
            return;
          }
          await new Promise((resolve) => delivery.signal.addEventListener('abort', resolve));
          await delivery.ack().catch((error: unknown) => errors.push(error));
        });
        await bench.time.eventually('it has come', () => seen.length === 1);

        await bench.cut(driver);
        await bench.time.eventually('it was handled', () => handled.length === 1, bench.recoveryMs);

        assert.deepEqual(
          errors.map((error) => (error as { code?: string }).code),
          ['lease-lost'],
        );
        await bench.isEmpty(queue, topic);
      },
      'cutConnections',
    ),
    queueCase('the-signal-is-not-aborted-by-a-normal-end', async (bench) => {
      const topic = bench.topic({ backoff: quick });
      const queue = await bench.queue([topic]);
      const signals: AbortSignal[] = [];
      await bench.consume(queue, topic, ({ signal, attempt }) => {
        signals.push(signal);
        if (attempt === 1) throw new Error('again');
      });

      await queue.publish(topic, null);
      await bench.time.eventually('it was handled', () => signals.length === 2);
      await bench.time.until(queue.close());

      assert.deepEqual(
        signals.map(({ aborted }) => aborted),
        [false, false],
      );
    }),
  ]),
  ...promise(
    '19.1',
    'A settle that fails to reach the backend is retried as long as it can succeed; then the message comes again.',
    [
      queueCase('a-settle-that-failed-is-repeated-and-takes-effect-once', async (bench) => {
        const topic = bench.topic();
        let failures = 3;
        const queue = await bench.queue([topic], {
          interference: {
            settle: async (next) => {
              if (failures-- > 0) throw new Interruption();
              return next();
            },
          },
        });
        await queue.publish(topic, null);
        const delivery = await bench.subscribe(queue, topic, { prefetch: 1 }).next();

        await bench.time.until(delivery.ack());

        assert.equal(failures, -1);
        await bench.isEmpty(queue, topic);
      }),
      queueCase('a-settle-of-which-a-part-failed-repeats-that-part', async (bench) => {
        const topic = bench.topic();
        let failed = 0;
        const queue = await bench.queue([topic], {
          interference: {
            settle: async (next, batch) => {
              if (failed > 0 || batch.length < 2) return next();
              const reached = batch.filter((_, n) => n % 2 === 0);
              failed = batch.length - reached.length;
              const answers = (await next(reached)).values();
              const error = new Interruption({ code: 'conflict' });
              return batch.map((_, n) =>
                n % 2 === 0 ? (answers.next().value as SettleResult) : { status: 'failed' as const, error },
              );
            },
          },
        });
        await bench.time.until(
          queue.publishBatch(
            topic,
            many(20, (n) => ({ body: n })),
          ),
        );

        const settled = bench.listen(queue, 'settled');
        const { seen } = await bench.consume(queue, topic);
        await bench.time.eventually('all were settled', () => settled.length === 20);

        await bench.isEmpty(queue, topic);
        assert.ok(failed > 0, 'no part of a settle has failed');
        assert.deepEqual(
          seen.map(({ redeliveries }) => redeliveries),
          many(20, () => 0),
        );
      }),
      queueCase(
        'a-settle-that-never-arrives-is-told-and-the-message-comes-again',
        async (bench) => {
          const topic = bench.topic();
          const broken = await bench.queue([topic], { interference: { settle: () => never(), extend: () => never() } });
          const failures = bench.listen(broken, 'settle-failed');
          await broken.publish(topic, null, { id: 'm' });
          const { consumer } = await bench.consume(broken, topic, () => {}, { prefetch: 1 });
          await bench.time.pass(31_000);
          await bench.time.until(consumer.close({ deadlineMs: 0 }));
          await bench.time.pass(bench.recoveryMs);

          const other = await bench.queue([topic]);

          assert.deepEqual(ids(await bench.drain(other, topic)), ['m']);
          assert.deepEqual(
            failures.slice(0, 1).map(({ id, error }) => [id, (error as { code?: string }).code]),
            [['m', 'timeout']],
          );
        },
        'virtual time',
      ),
    ],
  ),
  ...promise(
    '20.1',
    "`maxAttempts`, back-off and dead-letter rules are the topic's, and the counts are with the message: a handler runs exactly `maxAttempts` times, over restarts and over any number of competing subscribers.",
    [
      queueCase('exactly-max-attempts-over-three-consumers-and-a-restart', async (bench) => {
        const topic = bench.topic({ maxAttempts: 5, backoff: { initialMs: 100, factor: 1, jitter: 0 } });
        const runs = new Map<string, number[]>();
        const open = async () => {
          const opened = await Promise.all(many(3, () => bench.queue([topic])));
          for (const queue of opened)
            await bench.consume(queue, topic, ({ message, attempt }) => {
              runs.set(message.id, [...(runs.get(message.id) ?? []), attempt]);
              throw new Error('always');
            });
          return opened;
        };
        const before = await open();
        await bench.time.until(
          before[0]?.publishBatch(
            topic,
            many(20, (n) => ({ body: n, id: `m${n}` })),
          ) ?? never(),
        );
        await bench.time.pass(250);

        await bench.time.until(Promise.all(before.map((queue) => queue.close())));
        const [after] = await open();
        const letters = async () => (await after?.admin.deadLetters(topic).list())?.letters ?? [];
        await bench.time.eventually('all are dead', async () => (await letters()).length === 20);

        assert.equal(runs.size, 20);
        for (const [id, attempts] of runs) assert.deepEqual(attempts, [1, 2, 3, 4, 5], id);
      }),
      queueCase(
        'counts-hold-over-a-killed-process',
        async (bench) => {
          const topic = bench.topic({ maxAttempts: 3, backoff: quick });
          const { queue: doomed, driver } = await bench.opened([topic]);
          await doomed.publish(topic, null, { id: 'm' });
          const reading = bench.subscribe(doomed, topic, { prefetch: 1 });
          await bench.time.until((await reading.next()).nack(0));
          const held = await reading.next();
          await bench.kill(driver);

          const queue = await bench.queue([topic]);
          const again = await bench.subscribe(queue, topic).next(bench.recoveryMs);

          assert.deepEqual([held.attempt, again.attempt, again.redeliveries], [2, 2, 1]);
        },
        'killSubscriber',
      ),
    ],
  ),
  ...promise('20.2', '`maxAttempts: Infinity` is allowed and means it.', [
    queueCase('a-message-may-fail-for-ever', async (bench) => {
      const topic = bench.topic({
        maxAttempts: Number.POSITIVE_INFINITY,
        backoff: { initialMs: 1, maxMs: 1, jitter: 0 },
      });
      const queue = await bench.queue([topic]);
      const { seen } = await bench.consume(queue, topic, ({ attempt }) => {
        if (attempt < 200) throw new Error('again');
      });

      await queue.publish(topic, null);
      await bench.time.eventually('it was handled', () => seen.length === 200, 60_000);

      assert.equal(seen.at(-1)?.attempt, 200);
      assert.equal((await queue.admin.deadLetters(topic).list()).letters.length, 0);
    }),
  ]),
  ...promise(
    '20.3',
    'Delays between attempts grow from `initialMs` by `factor` to `maxMs`, with ±`jitter` of chance.',
    [
      queueCase('each-retry-waits-for-its-step-of-the-back-off', async (bench) => {
        const topic = bench.topic({ maxAttempts: 6, backoff: { initialMs: 100, factor: 2, maxMs: 500, jitter: 0 } });
        const queue = await bench.queue([topic]);
        const at: number[] = [];
        await bench.consume(queue, topic, () => {
          at.push(bench.time.now());
          throw new Error('always');
        });

        await queue.publish(topic, null);
        await bench.time.eventually('all attempts were made', () => at.length === 6);

        const waits = at.slice(1).map((now, index) => now - (at[index] as number));
        for (const [index, leastMs] of [100, 200, 400, 500, 500].entries()) {
          const tookMs = waits[index] as number;
          const mostMs = leastMs + bench.capabilities.delay.resolutionMs + bench.time.lateMs;
          assert.ok(tookMs >= leastMs && tookMs <= mostMs, `retry ${index + 1} came after ${tookMs} ms`);
        }
      }),
      queueCase('jitter-stays-within-its-share', async (bench) => {
        const policy = { initialMs: 1_000, factor: 2, maxMs: 60_000, jitter: 0.2 };
        const extremes: [number, number][] = [
          [0, 800],
          [0.5, 1_000],
          [0.999_999, 1_200],
        ];
        for (const [chance, expectedMs] of extremes) {
          const topic = bench.topic();
          const queue = await bench.queue([topic], { random: () => chance });
          const retried = bench.listen(queue, 'retried');
          const { consumer } = await bench.consume(queue, topic, () => {
            throw new Error('always');
          });

          await queue.publish(topic, null);
          await bench.time.eventually('it was retried', () => retried.length === 1);
          await bench.time.until(consumer.close());

          assert.equal(retried[0]?.delayMs, expectedMs);
          assert.equal(backoff(1, policy, chance), expectedMs);
        }
      }),
    ],
  ),
];

function settleBy(delivery: Delivery, verb: 'ack' | 'nack' | 'postpone' | 'reject'): Promise<void> {
  switch (verb) {
    case 'ack':
      return delivery.ack();
    case 'nack':
      return delivery.nack(10);
    case 'postpone':
      return delivery.postpone(10);
    case 'reject':
      return delivery.reject('poison');
  }
}
