import assert from 'node:assert/strict';
import { gate, many, never } from '../bench.js';
import { type Case, driverCase, promise, queueCase } from '../case.js';
import { ack, release } from '../driver-bench.js';

export const capabilities: readonly Case[] = [
  ...promise(
    'C1',
    'Capabilities are data on the driver and on the queue: numbers, read by the library, the suite and users alike, and final once the driver is open.',
    [
      queueCase('capabilities-make-sense', async (bench) => {
        const queue = await bench.queue([]);
        const { delay, ordering, dedup, lease, limits, depth, durable, transactions, atomicOutbox, singleWriter } =
          queue.capabilities;
        const day = 24 * 60 * 60 * 1_000;

        assert.deepEqual(structuredClone(queue.capabilities), queue.capabilities);
        assert.ok(delay.resolutionMs >= 1 && delay.maxMs >= 30 * day, 'delays up to 30 days at least');
        assert.ok(ordering.lanes >= 8 && ['full', 'window'].includes(ordering.keyIsolation));
        assert.ok(dedup === null || dedup.windowMs >= day, 'the default window is 24 h');
        assert.ok(lease === null || lease.ms > 0);
        assert.ok(limits.bodyBytes >= 1_048_576 && limits.nameBytes >= 100 && limits.headerBytes >= 4_096);
        assert.ok(limits.batch >= 1 && limits.concurrentSends >= 1);
        for (const flag of [durable, transactions, atomicOutbox, singleWriter, ...Object.values(depth)])
          assert.equal(typeof flag, 'boolean');
      }),
      driverCase('the-driver-declares-the-same-to-every-client', async (bench) => {
        assert.deepEqual((await bench.open()).capabilities, bench.capabilities);
      }),
    ],
  ),
  ...promise(
    'C2',
    '`depth` answers what it can know and null for the rest, never a guess: ready, delayed, in hand, dead, and the age of the oldest ready message, exact in a quiet system.',
    [
      driverCase('the-depth-of-a-quiet-group-is-exact', async (bench) => {
        const topic = await bench.declare();
        const reader = await bench.subscribe(topic);
        await bench.send(...many(5, (n) => bench.entry(topic, `m${n}`)));
        const received = await bench.receive(reader, 3);
        await bench.send(...many(4, (n) => bench.entry(topic, `later ${n}`, { delayMs: 3_600_000 })));
        const target = { kind: 'dead', group: 'default', expireAfterMs: null } as const;
        const death = {
          cause: 'rejected',
          reason: 'x',
          error: null,
          attempt: 1,
          postpones: 0,
          redeliveries: 0,
          firstFailedAt: 1,
          lastFailedAt: 1,
          origin: 'x',
        } as const;
        await bench.send(bench.entry(topic, 'dead', { target: { ...target, death } }));
        await bench.time.pass(500);
        const [first, second] = received;
        await bench.settleDone(reader, ack(first?.receipt as object), release(second?.receipt as object, 3_600_000));

        const found = await bench.time.until(bench.driver.admin.depth(topic.name, 'default'));

        const { depth } = bench.capabilities;
        const { oldestAgeMs, paused, ...counts } = found;
        assert.equal(paused, false);
        const known = (name: keyof typeof depth, value: number): number | null => (depth[name] ? value : null);
        assert.deepEqual(counts, {
          ready: known('ready', 2),
          delayed: known('delayed', 5),
          inHand: known('inHand', 1),
          dead: known('dead', 1),
        });
        if (depth.oldestAgeMs)
          assert.ok(
            oldestAgeMs !== null && oldestAgeMs >= 500 && oldestAgeMs <= 600 + bench.time.lateMs,
            `${oldestAgeMs} ms`,
          );
        else assert.equal(oldestAgeMs, null);
      }),
      driverCase('the-depth-of-an-empty-group-is-zero', async (bench) => {
        const topic = await bench.declare();

        const { paused, ...found } = await bench.time.until(bench.driver.admin.depth(topic.name, 'default'));

        assert.equal(paused, false);
        for (const [name, value] of Object.entries(found))
          assert.equal(value, bench.capabilities.depth[name as keyof typeof found] ? 0 : null, name);
      }),
      queueCase('the-age-of-a-retry-counts-from-when-it-was-due', async (bench) => {
        const topic = bench.topic();
        const queue = await bench.queue([topic]);
        await queue.publishAfter(topic, null, 1_000);

        await bench.time.pass(1_200);
        const { oldestAgeMs } = await queue.admin.depth(topic);

        if (oldestAgeMs !== null)
          assert.ok(oldestAgeMs >= 200 && oldestAgeMs < 1_000 + bench.time.lateMs, `${oldestAgeMs} ms`);
      }),
    ],
  ),
  ...promise(
    'C3',
    'What a backend does not declare is refused with `unsupported` before anything was sent, never silently ignored.',
    [
      queueCase(
        'within-is-refused',
        async (bench) => {
          const topic = bench.topic();
          const queue = await bench.queue([topic]);
          await bench.rejects('unsupported', () => queue.within({}));
          await bench.isEmpty(queue, topic);
        },
        'no transactions',
      ),
      queueCase(
        'an-outbox-entry-with-a-key-is-refused-where-there-are-none',
        async (bench) => {
          const topic = bench.topic();
          const queue = await bench.queue([topic]);
          await queue.publish(topic, null);
          const delivery = await bench.subscribe(queue, topic).next();

          await bench.rejects('unsupported', delivery.outbox.publish(topic, 'never', { idempotencyKey: 'k' }));

          await bench.time.until(delivery.ack());
          assert.deepEqual(await bench.drain(queue, topic), []);
        },
        'no dedup',
      ),
      queueCase('a-lane-more-than-the-backend-has-is-refused-and-nothing-is-declared', async (bench) => {
        const topic = bench.topic({ ordering: 'key', lanes: bench.capabilities.ordering.lanes + 1 });

        await bench.rejects('unsupported', () => bench.queue([topic]));

        const queue = await bench.queue([]);
        assert.ok((await queue.admin.topics()).every(({ name }) => name !== topic.name));
      }),
    ],
  ),
  ...promise(
    'N1',
    'Defaults: maxAttempts 5; back-off 1 s, factor 2, at most 60 s, ±20 %; maxRedeliveries 20; 8 lanes; body limit 1 MiB; idempotency window 24 h; dead letters are kept for ever.',
    [
      queueCase('a-topic-has-the-documented-defaults', async (bench) => {
        const {
          maxAttempts,
          maxRedeliveries,
          backoff,
          lanes,
          maxBodyBytes,
          idempotencyWindowMs,
          unmatched,
          groups,
          deadLetters,
        } = bench.topic({ ordering: 'key' });

        assert.deepEqual(
          {
            maxAttempts,
            maxRedeliveries,
            backoff: { ...backoff },
            lanes,
            maxBodyBytes,
            idempotencyWindowMs,
            unmatched,
          },
          {
            maxAttempts: 5,
            maxRedeliveries: 20,
            backoff: { initialMs: 1_000, factor: 2, maxMs: 60_000, jitter: 0.2 },
            lanes: 8,
            maxBodyBytes: 1_048_576,
            idempotencyWindowMs: 86_400_000,
            unmatched: 'reject',
          },
        );
        assert.deepEqual(
          [Object.keys(groups), deadLetters.notice, deadLetters.expireAfterMs],
          [['default'], null, null],
        );
      }),
      queueCase(
        'five-attempts-with-the-default-back-off',
        async (bench) => {
          const topic = bench.topic();
          const queue = await bench.queue([topic]);
          const at: number[] = [];
          await bench.consume(queue, topic, () => {
            at.push(bench.time.now());
            throw new Error('always');
          });

          await queue.publish(topic, null);
          await bench.time.eventually(
            'it is dead',
            async () => (await queue.admin.deadLetters(topic).list()).letters.length === 1,
            60_000,
          );

          assert.deepEqual(
            at.slice(1).map((now, index) => now - (at[index] as number)),
            [1_000, 2_000, 4_000, 8_000],
          );
        },
        'virtual time',
      ),
    ],
  ),
  ...promise(
    'N2',
    'Defaults of a subscriber: prefetch 256, or 64 per lane on ordered topics; concurrency 16; no time-out of handlers; leases are extended after a third of their time (every 10 s of 30 s).',
    [
      queueCase('a-consumer-works-on-sixteen-at-once-and-holds-256', async (bench) => {
        const topic = bench.topic();
        const queue = await bench.queue([topic]);
        await bench.time.until(
          queue.publishBatch(
            topic,
            many(300, (n) => ({ body: n })),
          ),
        );
        const slow = gate();

        const { seen } = await bench.consume(queue, topic, () => slow.opened);
        await bench.time.eventually('as many as may be are held', () => queue.health().consumers[0]?.held === 256);
        await bench.time.settle();
        const started = seen.length;
        slow.open();

        assert.deepEqual([started, queue.health().consumers[0]?.held], [16, 256]);
      }),
      queueCase(
        'an-ordered-consumer-holds-64-per-lane',
        async (bench) => {
          const topic = bench.topic({ ordering: 'key', lanes: 2 });
          const queue = await bench.queue([topic]);
          await bench.time.until(
            queue.publishBatch(
              topic,
              many(400, (n) => ({ body: n, key: `k${n}` })),
            ),
          );
          const slow = gate();

          await bench.consume(queue, topic, () => slow.opened);
          await bench.time.eventually(
            'as many as may be are held',
            () => (queue.health().consumers[0]?.held ?? 0) === 128,
          );
          await bench.time.settle();
          const held = queue.health().consumers[0]?.held;
          slow.open();

          assert.equal(held, 128);
        },
        'full key isolation',
      ),
      queueCase(
        'a-lease-is-extended-three-times-in-its-time',
        async (bench) => {
          const topic = bench.topic();
          const leaseMs = bench.capabilities.lease?.ms ?? 0;
          const at: number[] = [];
          const queue = await bench.queue([topic], {
            interference: {
              extend: (next) => {
                at.push(bench.time.now() - startedAt);
                return next();
              },
            },
          });
          await queue.publish(topic, null);
          const startedAt = bench.time.now();
          const delivery = await bench.subscribe(queue, topic, { prefetch: 1 }).next();

          await bench.time.pass(2 * leaseMs);

          assert.deepEqual([at, delivery.signal.aborted], [many(6, (n) => ((n + 1) * leaseMs) / 3), false]);
        },
        'lease',
        'virtual time',
      ),
    ],
  ),
  ...promise(
    'N3',
    'A publish or a settle that gets no answer is given up after 30 s; a close waits for 30 s unless it is told otherwise.',
    [
      queueCase(
        'a-publish-that-gets-no-answer-is-given-up-after-thirty-seconds',
        async (bench) => {
          const topic = bench.topic();
          const queue = await bench.queue([topic], { interference: { send: () => new Promise<never>(() => {}) } });
          const startedAt = bench.time.now();

          const error = await bench.rejects('timeout', queue.publish(topic, 1));

          assert.equal(error.outcomeUnknown, true);
          const tookMs = bench.time.now() - startedAt;
          assert.ok(tookMs >= 30_000 && tookMs <= 31_000, `${tookMs} ms`);
        },
        'virtual time',
      ),
      queueCase(
        'a-settle-that-gets-no-answer-is-given-up-after-thirty-seconds',
        async (bench) => {
          const topic = bench.topic();
          const queue = await bench.queue([topic], { interference: { settle: () => never() } });
          await queue.publish(topic, null);
          const delivery = await bench.subscribe(queue, topic, { prefetch: 1 }).next();
          const startedAt = bench.time.now();

          const error = await bench.rejects('timeout', () => delivery.ack());

          const tookMs = bench.time.now() - startedAt;
          assert.ok(tookMs >= 30_000 && tookMs <= 31_000, `${tookMs} ms`);
          assert.equal(error.outcomeUnknown, true);
        },
        'virtual time',
      ),
      queueCase(
        'a-close-waits-for-thirty-seconds-by-default',
        async (bench) => {
          const topic = bench.topic();
          const queue = await bench.queue([topic]);
          const { consumer, seen } = await bench.consume(queue, topic, () => gate().opened);
          await queue.publish(topic, null);
          await bench.time.eventually('it has come', () => seen.length === 1);
          const startedAt = bench.time.now();

          await bench.time.until(consumer.close());

          const tookMs = bench.time.now() - startedAt;
          assert.ok(tookMs >= 30_000 && tookMs <= 32_000, `${tookMs} ms`);
        },
        'virtual time',
      ),
    ],
  ),
];
