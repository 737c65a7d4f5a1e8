import { openQueue, type QueueError, VirtualClock } from 'signalbox';
import { type Fault, type FaultPlan, faulty, InjectedFault } from 'signalbox/conformance';
import { memory } from 'signalbox/memory';
import { describe, expect, it } from 'vitest';
import { entry, taken, topology } from '../queue/memory/world.js';
import { consumed, faultyWorld, jobs, lines, settledOn, withoutLeases } from './faults-world.js';

const n = ({ message }: { readonly message: { readonly body: unknown } }): number =>
  (message.body as { readonly n: number }).n;

const received: Fault['match'] = (call) => call.verb === 'receive' && call.received.length > 0;

describe('a plan', () => {
  it.each<[string, unknown, RegExp]>([
    ['an unknown fault', { faults: [{ fault: 'explode' }] }, /faults\.0\.fault: must be one of fail,/],
    ['an unknown verb', { faults: [{ fault: 'fail', of: 'publish' }] }, /faults\.0\.of: must be one of open,/],
    ['an answer that cannot be lost', { faults: [{ fault: 'lose-answer', of: 'open' }] }, /faults\.0\.of: must be one/],
    ['NaN', { faults: [{ fault: 'duplicate', probability: Number.NaN }] }, /faults\.0\.probability: must be a number/],
    ['a probability above 1', { faults: [{ fault: 'duplicate', probability: 1.5 }] }, /probability: .* from 0 to 1/],
    ['a negative one', { faults: [{ fault: 'duplicate', probability: -0.1 }] }, /probability: .* from 0 to 1/],
    ['the zeroth call', { faults: [{ fault: 'fail', of: 'send', nth: 0 }] }, /faults\.0\.nth: must be/],
    [
      'an endless delay',
      { faults: [{ fault: 'delay', of: 'send', delayMs: Infinity }] },
      /faults\.0\.delayMs: must be/,
    ],
    ['a misspelt key', { faults: [{ fault: 'duplicate', probabilty: 0.5 }] }, /faults\.0: .*probabilty/],
    ['a misspelt key of the plan', { fault: [], faults: [] }, /: .*"fault"/],
    ['a seed that is none', { seed: 1.5, faults: [] }, /seed: must be a whole number/],
    ['no faults', {}, /faults: must be an array/],
    ['a predicate that is none', { faults: [{ fault: 'duplicate', match: 'all' }] }, /match: must be a function/],
    ['a code that is none', { faults: [{ fault: 'fail', of: 'send', code: 'oops' }] }, /code: must be one of invalid,/],
    ['a cut with nothing', { faults: [{ fault: 'cut', of: 'send' }] }, /faults\.0: .*give the option cut/],
  ])('with %s is refused before anything is opened', (_, plan, message) => {
    const make = (): unknown => faulty(memory(), plan as FaultPlan);

    expect(make).toThrow(message);
    expect(make).toThrow(expect.objectContaining({ name: 'QueueError', code: 'invalid' }));
    expect(make).toThrow(/^cannot make "memory" faulty: /);
  });

  it('strikes the same calls again with the same seed, and others with another', async () => {
    const struck = async (seed: number): Promise<readonly (readonly (string | null)[])[]> => {
      await using world = await faultyWorld([{ fault: 'lose-answer', of: 'send', probability: 0.5 }], { seed });
      for (let i = 0; i < 20; i++) {
        await settledOn(world.clock, world.queue.publish(jobs, { n: i }, { id: `${i}` }));
      }
      return world.driver.injected.map(({ ids }) => ids);
    };

    const [once, again, other] = [await struck(7), await struck(7), await struck(8)];

    expect(once.length).toBeGreaterThan(3);
    expect(again).toEqual(once);
    expect(other).not.toEqual(once);
  });

  it('counts the calls that match, strikes the nth, and not more often than it may', async () => {
    const match: Fault['match'] = (call) => call.verb === 'send' && call.entries[0]?.message.key === 'a';
    await using world = await faultyWorld([
      { fault: 'lose-answer', of: 'send', match, nth: [2, 3] },
      { fault: 'delay', of: 'send', delayMs: 10, times: 1 },
    ]);
    for (const [id, key] of [
      ['1', 'a'],
      ['2', 'b'],
      ['3', 'a'],
      ['4', 'a'],
    ] as const) {
      await settledOn(world.clock, world.queue.publish(jobs, { n: 0 }, { id, key }));
    }

    expect(world.driver.injected.map(({ fault, ids, index }) => [fault, ids, index])).toEqual([
      ['delay', ['1'], 1],
      ['lose-answer', ['3'], 0],
      // The second try of 3 is the third call that matches.
      ['lose-answer', ['3'], 0],
    ]);
  });

  it('strikes nothing after calm()', async () => {
    await using world = await faultyWorld([{ fault: 'fail', of: 'send', code: 'denied' }]);

    world.driver.calm();
    await world.queue.publish(jobs, { n: 1 });

    expect(world.driver.injected).toEqual([]);
  });
});

describe('a faulty driver', () => {
  it('fails a call before it has any effect, as retryable as its code or as told', async () => {
    await using world = await faultyWorld([
      { fault: 'fail', of: 'send', nth: 1, code: 'denied' },
      { fault: 'fail', of: 'send', nth: 2 },
    ]);

    const denied = await world.queue.publish(jobs, { n: 1 }).catch((error: QueueError) => error);
    await settledOn(world.clock, world.queue.publish(jobs, { n: 2 }));

    expect(denied).toMatchObject({ code: 'denied', retryable: false, outcomeUnknown: false });
    expect((denied as QueueError).cause).toBeInstanceOf(InjectedFault);
    expect(await consumed(world, jobs, n)).toEqual([2]);
  });

  it('refuses to open', async () => {
    const driver = faulty(memory(), { faults: [{ fault: 'fail', of: 'open', code: 'auth' }] });

    await expect(openQueue(driver, { topics: [jobs] })).rejects.toMatchObject({ code: 'auth', retryable: false });
  });

  it('fails to subscribe: what may pass is tried again, what is for good rejects consume', async () => {
    await using world = await faultyWorld([
      { fault: 'fail', of: 'subscribe', nth: [1, 2] },
      { fault: 'fail', of: 'subscribe', nth: 4, code: 'denied' },
    ]);

    await settledOn(
      world.clock,
      world.queue.consume(jobs, () => {}),
    );

    await expect(world.queue.consume(jobs, () => {})).rejects.toMatchObject({ code: 'denied' });
  });

  it('fails to receive, and the subscription resumes', async () => {
    await using world = await faultyWorld([{ fault: 'fail', of: 'receive', nth: [1, 2, 3] }]);
    const seen: number[] = [];

    await world.queue.consume(jobs, (delivery) => seen.push(n(delivery)));
    await world.queue.publish(jobs, { n: 1 });
    await world.clock.advance(5_000);

    expect(seen).toEqual([1]);
    expect(world.driver.injected).toHaveLength(3);
  });

  it('fails single entries, and with one of a key the later ones of that key', async () => {
    const clock = new VirtualClock();
    const driver = faulty(memory({ clock }), {
      faults: [{ fault: 'fail-entry', of: 'send', nth: 2, code: 'denied' }],
    });
    await driver.open({ logger: { info() {}, warn() {} }, emit() {} });
    await driver.declare({ topics: [topology()] }, { mode: 'assert', change: false });

    const results = await driver.send([
      entry('a1', { key: 'a' }),
      entry('a2', { key: 'a' }),
      entry('b1', { key: 'b' }),
      entry('a3', { key: 'a' }),
      entry('none'),
    ]);

    expect(results.map(({ status }) => status)).toEqual(['stored', 'failed', 'stored', 'failed', 'stored']);
    const said = results.map((result) => (result.status === 'failed' ? driver.classify(result.error) : null));
    expect(said[1]).toEqual({ code: 'denied', retryable: false, outcomeUnknown: false });
    expect(said[3]).toEqual({ code: 'unavailable', retryable: true, outcomeUnknown: false });
    const reader = await driver.subscribe({ topic: 'jobs', group: 'default', prefetch: 9, consumer: 'c', onLost() {} });
    expect((await taken(reader)).map(({ message }) => message.id)).toEqual(['a1', 'b1', 'none']);
    await driver.close();
  });

  it('stores an entry twice, under the same id', async () => {
    await using world = await faultyWorld([{ fault: 'duplicate', nth: 2 }]);

    for (const i of [1, 2, 3]) await world.queue.publish(jobs, { n: i }, { id: `id ${i}` });

    expect(await consumed(world, jobs, ({ message }) => message.id)).toEqual(['id 1', 'id 2', 'id 2', 'id 3']);
    expect(world.driver.injected.map(({ ids }) => ids)).toEqual([['id 2']]);
  });

  it('does not store twice what has an idempotency key', async () => {
    await using world = await faultyWorld([{ fault: 'duplicate' }]);

    await world.queue.publish(jobs, { n: 1 }, { idempotencyKey: 'once' });

    expect(await consumed(world, jobs, n)).toEqual([1]);
  });

  it('holds up a call on the clock, before or after it took effect', async () => {
    const took = async (at: 'call' | 'answer'): Promise<readonly number[]> => {
      await using world = await faultyWorld([{ fault: 'delay', of: 'send', delayMs: 700, at }]);
      const { clock, queue } = world;
      const startedAt = clock.now();
      const publishing = queue.publish(jobs, { n: 1 });
      await clock.advance(0);
      const { ready } = await queue.admin.depth(jobs);
      await settledOn(clock, publishing);
      return [ready ?? -1, clock.now() - startedAt];
    };

    expect([await took('call'), await took('answer')]).toEqual([
      [0, 700],
      [1, 700],
    ]);
  });

  it('leaves no timer when it is closed while it holds up a call', async () => {
    const world = await faultyWorld([{ fault: 'delay', of: 'send', delayMs: 3_600_000 }]);
    const publishing = world.queue.publish(jobs, { n: 1 }).catch((error: QueueError) => error.code);
    await world.clock.advance(0);

    await world[Symbol.asyncDispose]();

    expect(await publishing).toBe('closed');
    expect(world.clock.pending).toBe(0);
  });

  it('cuts the connection: what is in hand comes again, and events say so', async () => {
    await using world = await faultyWorld([{ fault: 'cut', of: 'settle', nth: 1 }]);
    const facts: string[] = [];
    world.queue.events.on('disconnected', () => facts.push('disconnected'));
    world.queue.events.on('connected', () => facts.push('connected'));
    const redeliveries: number[] = [];

    await world.queue.consume(jobs, (delivery) => redeliveries.push(delivery.redeliveries));
    await world.queue.publish(jobs, { n: 1 });
    await world.clock.advance(1_000);

    expect(facts).toEqual(['disconnected', 'connected']);
    expect(redeliveries).toEqual([0, 1]);
  });

  it.each(['with leases', 'without leases'])(
    'loses a lease %s: the holder is told, others get the message',
    async (kind) => {
      const leases = kind === 'with leases';
      await using world = await faultyWorld([{ fault: 'lose-lease', nth: 1 }], leases ? {} : { wrap: withoutLeases });
      const first = world.queue.subscribe(jobs, { prefetch: 1 })[Symbol.asyncIterator]();
      await world.queue.publish(jobs, { n: 1 });
      const { value: delivery } = await first.next();
      const { signal } = delivery;

      // Extended after a third of 30 s, which is when the holder learns that there is nothing to extend.
      await world.clock.advance(10_000);

      expect(signal.aborted).toBe(true);
      await expect(delivery.ack()).rejects.toMatchObject({ code: 'lease-lost', outcomeUnknown: false });
      // A give-back is not counted here; a lost lease always is.
      const { value: again } = await settledOn(world.clock, first.next());
      expect(again.redeliveries).toBe(leases ? 1 : 0);
      await again.ack();
    },
  );

  it('loses the answer of an extension, which took effect: the lease is kept', async () => {
    await using world = await faultyWorld([{ fault: 'lose-answer', of: 'extend' }]);
    const first = world.queue.subscribe(jobs)[Symbol.asyncIterator]();
    await world.queue.publish(jobs, { n: 1 });
    const { value: delivery } = await first.next();

    await world.clock.advance(25_000);

    expect(world.driver.injected.length).toBeGreaterThan(1);
    await expect(delivery.ack()).resolves.toBeUndefined();
  });
});

describe('under faults the contract holds', () => {
  it('a lost answer of an ack is never a false lease-lost', async () => {
    await using world = await faultyWorld([{ fault: 'lose-answer', of: 'settle', nth: 1 }]);
    const first = world.queue.subscribe(jobs)[Symbol.asyncIterator]();
    await world.queue.publish(jobs, { n: 1 });
    const { value: delivery } = await first.next();

    const error = await settledOn(
      world.clock,
      delivery.ack().catch((reason: QueueError) => reason),
    );

    expect(error).toMatchObject({ code: 'unavailable', outcomeUnknown: true });
    expect(await consumed(world, jobs, n)).toEqual([]);
  });

  it('a settle whose call was lost, not its answer, is repeated and done', async () => {
    await using world = await faultyWorld([
      { fault: 'fail', of: 'settle', nth: 1 },
      { fault: 'fail-entry', of: 'settle', nth: 1 },
    ]);
    const first = world.queue.subscribe(jobs)[Symbol.asyncIterator]();
    await world.queue.publish(jobs, { n: 1 });
    const { value: delivery } = await first.next();

    await settledOn(world.clock, delivery.ack());

    expect(world.driver.injected).toHaveLength(2);
    expect(await consumed(world, jobs, n)).toEqual([]);
  });

  it('an outbox whose ack lost its answer leaves once', async () => {
    await using world = await faultyWorld([{ fault: 'lose-answer', of: 'settle', nth: 1 }]);
    await world.queue.consume(jobs, (delivery) => delivery.outbox.publish(lines, { n: 10 }));
    await world.queue.publish(jobs, { n: 1 });
    await world.clock.advance(120_000);

    expect(world.driver.injected).toHaveLength(1);
    expect(await consumed(world, lines, n)).toEqual([10]);
  });

  it('a publish whose answer was lost is stored once where nonces are recognised', async () => {
    await using world = await faultyWorld([{ fault: 'lose-answer', of: 'send', nth: [1, 2, 3] }]);

    const published = await settledOn(world.clock, world.queue.publish(jobs, { n: 1 }));

    expect(published).toMatchObject({ groups: 1, duplicate: false });
    expect(world.driver.injected).toHaveLength(3);
    expect(await consumed(world, jobs, n)).toEqual([1]);
  });

  it.each([1, 2, 3, 4, 5])(
    'calls keep their order per key, also when some had to be repeated (seed %i)',
    async (seed) => {
      await using world = await faultyWorld(
        [
          { fault: 'fail-entry', of: 'send', probability: 0.05 },
          { fault: 'fail', of: 'send', probability: 0.15 },
          { fault: 'lose-answer', of: 'send', probability: 0.15 },
          { fault: 'delay', of: 'send', probability: 0.3, delayMs: 120 },
        ],
        { seed },
      );
      const keys = ['a', 'b', 'c'];
      const publishing: Promise<unknown>[] = [];
      for (let i = 0; i < 40; i++) {
        for (const key of keys) publishing.push(world.queue.publish(lines, { n: i }, { key }));
        await world.clock.advance(25);
      }
      await settledOn(world.clock, Promise.all(publishing));

      expect(world.driver.injected.length).toBeGreaterThan(10);
      const seen = await consumed(world, lines, (delivery) => ({ key: delivery.message.key, n: n(delivery) }));
      for (const key of keys) {
        expect(seen.filter((each) => each.key === key).map((each) => each.n)).toEqual([...Array(40).keys()]);
      }
    },
  );

  it('one bad message of many concurrent ones fails alone', async () => {
    await using world = await faultyWorld([
      {
        fault: 'fail-entry',
        of: 'send',
        code: 'payload-too-large',
        match: (call) => call.verb === 'send' && call.entries[0]?.message.id === '5',
      },
    ]);

    const results = await Promise.allSettled(
      [...Array(10).keys()].map((i) => world.queue.publish(jobs, { n: i }, { id: `${i}` })),
    );

    const failed = results.flatMap((result, i) => (result.status === 'rejected' ? [[i, result.reason.code]] : []));
    expect(failed).toEqual([[5, 'payload-too-large']]);
    expect(await consumed(world, jobs, n)).toEqual([0, 1, 2, 3, 4, 6, 7, 8, 9]);
  });

  it('a bad message of a key fails alone, the later ones of its key follow', async () => {
    await using world = await faultyWorld([
      {
        fault: 'fail-entry',
        of: 'send',
        code: 'payload-too-large',
        match: (call) => call.verb === 'send' && call.entries[0]?.message.id === '1',
      },
    ]);

    const results = settledOn(
      world.clock,
      Promise.allSettled([0, 1, 2, 3].map((i) => world.queue.publish(lines, { n: i }, { id: `${i}`, key: 'a' }))),
    );

    expect((await results).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled']);
    expect(await consumed(world, lines, n)).toEqual([0, 2, 3]);
  });

  it('a publish gives up after 30 s: known to be without effect, or unknown', async () => {
    const fate = async (fault: Fault): Promise<unknown> => {
      await using world = await faultyWorld([fault]);
      const startedAt = world.clock.now();
      const error = await settledOn(
        world.clock,
        world.queue.publish(jobs, { n: 1 }).catch((e: QueueError) => e),
      );
      const { code, outcomeUnknown } = error as QueueError;
      return { afterMs: world.clock.now() - startedAt, code, outcomeUnknown };
    };

    const afterMs = 30_000;
    expect(await fate({ fault: 'fail', of: 'send' })).toEqual({ afterMs, code: 'unavailable', outcomeUnknown: false });
    expect(await fate({ fault: 'delay', of: 'send', delayMs: 99_000 })).toEqual({
      afterMs,
      code: 'timeout',
      outcomeUnknown: true,
    });
    expect(await fate({ fault: 'lose-answer', of: 'send', nth: 1 })).toMatchObject({ code: undefined });
    expect(await fate({ fault: 'lose-answer', of: 'send' })).toEqual({
      afterMs,
      code: 'unavailable',
      outcomeUnknown: true,
    });
  });

  it('an abort while the call is under way says that the outcome is unknown, before it that nothing was sent', async () => {
    await using world = await faultyWorld([{ fault: 'delay', of: 'send', delayMs: 500 }]);
    const [early, late] = [new AbortController(), new AbortController()];
    const codes = (publishing: Promise<unknown>): Promise<unknown> =>
      publishing.catch(({ code, outcomeUnknown }: QueueError) => [code, outcomeUnknown]);

    const underWay = codes(world.queue.publish(jobs, { n: 1 }, { signal: late.signal }));
    await world.clock.advance(100);
    const waiting = codes(world.queue.publish(jobs, { n: 2 }, { signal: early.signal }));
    early.abort();
    late.abort();

    expect(await waiting).toEqual(['aborted', false]);
    expect(await underWay).toEqual(['aborted', true]);
    await world.clock.advance(1_000);
    expect(await consumed(world, jobs, n)).toEqual([1]);
  });

  it('what was lost between its receipt and its start is never started', async () => {
    await using world = await faultyWorld([{ fault: 'cut', of: 'receive', at: 'answer', match: received, nth: 1 }], {
      wrap: withoutLeases,
    });
    const redeliveries: number[] = [];

    await world.queue.consume(jobs, (delivery) => redeliveries.push(delivery.redeliveries));
    await world.queue.publish(jobs, { n: 1 });
    await world.clock.advance(1_000);

    expect(world.driver.injected).toHaveLength(1);
    expect(redeliveries).toEqual([1]);
  });

  it.each([1, 2, 3, 4, 5])(
    'nothing is lost and every key stays in order when everything fails now and then (seed %i)',
    async (seed) => {
      await using world = await faultyWorld(
        [
          { fault: 'fail', of: 'subscribe', probability: 0.3 },
          { fault: 'fail', of: 'receive', probability: 0.1 },
          { fault: 'fail', of: 'extend', probability: 0.3 },
          { fault: 'fail', of: 'settle', probability: 0.1 },
          { fault: 'fail-entry', of: 'settle', probability: 0.1 },
          { fault: 'lose-answer', of: 'settle', probability: 0.1 },
          { fault: 'lose-answer', of: 'send', probability: 0.1 },
          { fault: 'duplicate', probability: 0.1 },
          { fault: 'lose-lease', probability: 0.05 },
          { fault: 'cut', of: 'receive', at: 'answer', probability: 0.05 },
          { fault: 'delay', of: 'receive', at: 'answer', delayMs: 40, probability: 0.1 },
        ],
        { seed },
      );
      const { clock, queue, driver } = world;
      const firsts = new Map<string, number[]>();
      await settledOn(
        clock,
        queue.consume(lines, (delivery) => {
          const seen = firsts.get(delivery.message.key as string) ?? [];
          firsts.set(delivery.message.key as string, seen);
          if (!seen.includes(n(delivery))) seen.push(n(delivery));
        }),
      );
      const publishing: Promise<unknown>[] = [];
      for (let i = 0; i < 90; i++) {
        publishing.push(queue.publish(lines, { n: i }, { key: 'abc'[i % 3] as string }));
        await clock.advance(20);
      }
      await settledOn(clock, Promise.all(publishing));
      driver.calm();
      await clock.advance(300_000);

      expect(new Set(driver.injected.map(({ fault }) => fault)).size).toBeGreaterThan(5);
      for (const [offset, key] of ['a', 'b', 'c'].entries()) {
        expect(firsts.get(key)).toEqual([...Array(30).keys()].map((i) => i * 3 + offset));
      }
      expect(await queue.admin.depth(lines)).toMatchObject({ ready: 0, delayed: 0, inHand: 0, dead: 0 });
    },
  );
});
