import fc from 'fast-check';
import { VirtualClock } from 'signalbox';
import { describe, expect, it } from 'vitest';
import {
  type AddedCall,
  type CallFailure,
  CallQueue,
  type CallQueueOptions,
  type Outcome,
} from '../../src/queue/call-queue.js';

interface Item {
  readonly name: string;
  readonly order: string | null;
}

/** What the other side threw. */
class Fault {
  constructor(
    readonly retryable: boolean,
    readonly outcomeUnknown = false,
  ) {}
}

type Answered = { readonly name: string; readonly unknownBefore: boolean };
type Ended = Answered | CallFailure;

/** A queue of calls, and the other side of it: each call waits until the test answers it. */
function setUp(options: Partial<CallQueueOptions<Item, string>> = {}) {
  const clock = new VirtualClock(0);
  const calls: { readonly names: readonly string[]; answer(outcome?: (name: string) => unknown): Promise<void> }[] = [];
  const ended = new Map<string, Ended>();
  const queue = new CallQueue<Item, string>({
    clock,
    random: () => 0.5,
    classify: (error) =>
      error instanceof Fault
        ? { code: 'unavailable', retryable: error.retryable, outcomeUnknown: error.outcomeUnknown }
        : { code: 'internal', retryable: false, outcomeUnknown: false },
    orderOf: ({ order }) => order,
    maxBatch: 10,
    maxConcurrent: 1,
    deadlineMs: 30_000,
    call: (batch) =>
      new Promise<readonly Outcome<string>[]>((resolve, reject) => {
        calls.push({
          names: batch.map(({ name }) => name),
          answer: async (outcome = (name) => name) => {
            const outcomes = batch.map(({ name }) => outcome(name));
            const [first] = outcomes;
            if (first === 'the whole call') reject(new Fault(true, true));
            else resolve(outcomes.map((one) => (one instanceof Fault ? { error: one } : { answer: String(one) })));
            await clock.advance(0);
          },
        });
      }),
    ...options,
  });
  const add = (name: string, order: string | null = null) =>
    queue.add(
      { name, order },
      (answer, unknownBefore) => {
        expect(ended.has(name)).toBe(false);
        ended.set(name, { name: answer, unknownBefore });
      },
      (failure) => {
        expect(ended.has(name)).toBe(false);
        ended.set(name, failure);
      },
    );
  const named = () => calls.map(({ names }) => names.join(' '));
  const call = (n: number) => calls[n] as (typeof calls)[number];
  return { clock, queue, add, call, named, ended };
}

describe('grouping', () => {
  it('what is called in one turn leaves in one batch, what comes while it is under way in the next', async () => {
    const { clock, add, call, named, ended } = setUp();

    add('a');
    add('b');
    await clock.advance(0);
    add('c');
    await clock.advance(0);
    add('d');
    await clock.advance(0);
    expect(named()).toEqual(['a b']);
    await call(0).answer();
    await call(1).answer();

    expect(named()).toEqual(['a b', 'c d']);
    expect([...ended.keys()]).toEqual(['a', 'b', 'c', 'd']);
  });

  it('a single call of an idle queue leaves at once, without any time passing', async () => {
    const { clock, add, named } = setUp();

    add('a');
    await clock.advance(0);

    expect(named()).toEqual(['a']);
    expect(clock.now()).toBe(0);
  });

  it('a caller that calls again once it is answered joins those who came meanwhile, however many promises lie between', async () => {
    const { clock, add, call, named, ended } = setUp({ maxConcurrent: 1 });
    const eager = async (): Promise<void> => {
      while (!ended.has('a')) await Promise.resolve();
      for (let promise = 0; promise < 20; promise++) await Promise.resolve();
      add('again');
    };

    add('a');
    await clock.advance(0);
    for (const item of ['b', 'c', 'd']) add(item);
    await clock.advance(0);
    const answering = call(0).answer();
    await Promise.all([answering, eager()]);
    await clock.advance(0);

    expect(named()).toEqual(['a', 'b c d again']);
  });

  it('a batch is never larger than the backend takes, and no more calls than allowed are under way', async () => {
    const { clock, add, call, named } = setUp({ maxBatch: 2, maxConcurrent: 2 });

    for (const name of 'abcdefg') add(name);
    await clock.advance(0);
    expect(named()).toEqual(['a b', 'c d']);
    await call(1).answer();

    expect(named()).toEqual(['a b', 'c d', 'e f']);
  });

  it('one bad item fails alone', async () => {
    const { clock, add, call, ended } = setUp();

    for (const name of 'abc') add(name);
    await clock.advance(0);
    await call(0).answer((name) => (name === 'b' ? new Fault(false) : name));

    expect(ended.get('a')).toEqual({ name: 'a', unknownBefore: false });
    expect(ended.get('b')).toMatchObject({ code: 'unavailable', retryable: false, outcomeUnknown: false });
    expect(ended.get('c')).toEqual({ name: 'c', unknownBefore: false });
  });

  it('an answer that leaves items out fails these as internal', async () => {
    const { clock, add, ended } = setUp({ call: async () => [{ answer: 'a' }] });

    add('a');
    add('b');
    await clock.advance(0);

    expect(ended.get('a')).toMatchObject({ name: 'a' });
    expect(ended.get('b')).toMatchObject({ code: 'internal' });
  });

  it('nothing is left when all has ended: no timer, no item', async () => {
    const { clock, queue, add, call } = setUp();
    let idle = 0;

    add('a');
    await clock.advance(0);
    void queue.idle().then(() => idle++);
    await clock.advance(0);
    expect([queue.size, idle, clock.pending]).toEqual([1, 0, 1]);
    await call(0).answer();

    expect([queue.size, idle, clock.pending]).toEqual([0, 1, 0]);
    await queue.idle();
  });
});

describe('retries', () => {
  it('what may succeed later is tried again after 50, 100, 200 ms …, until it succeeds', async () => {
    const { clock, add, call, named, ended } = setUp();

    add('a');
    await clock.advance(0);
    await call(0).answer(() => new Fault(true));
    await clock.advance(49);
    expect(named()).toHaveLength(1);
    await clock.advance(1);
    expect(named()).toHaveLength(2);
    await call(1).answer(() => new Fault(true));
    await clock.advance(99);
    expect(named()).toHaveLength(2);
    await clock.advance(1);
    await call(2).answer();

    expect(ended.get('a')).toEqual({ name: 'a', unknownBefore: false });
    expect(clock.pending).toBe(0);
  });

  it('an answer after a try whose outcome is unknown says so', async () => {
    const { clock, add, call, ended } = setUp();

    add('a');
    await clock.advance(0);
    await call(0).answer(() => 'the whole call');
    await clock.advance(50);
    await call(1).answer(() => new Fault(true));
    await clock.advance(100);
    await call(2).answer();

    expect(ended.get('a')).toEqual({ name: 'a', unknownBefore: true });
  });

  it('a failure for good after a try whose outcome is unknown is of unknown outcome', async () => {
    const { clock, add, call, ended } = setUp();

    add('a');
    await clock.advance(0);
    await call(0).answer(() => 'the whole call');
    await clock.advance(50);
    await call(1).answer(() => new Fault(false));

    expect(ended.get('a')).toMatchObject({ retryable: false, outcomeUnknown: true });
  });

  it('later ones of the same order wait for the one that is retried; others go on', async () => {
    const { clock, add, call, named } = setUp();

    add('x1', 'x');
    await clock.advance(0);
    await call(0).answer(() => new Fault(true));
    add('x2', 'x');
    add('y1', 'y');
    add('n');
    await clock.advance(0);
    expect(named()).toEqual(['x1', 'y1 n']);
    await call(1).answer();
    await clock.advance(50);

    expect(named()).toEqual(['x1', 'y1 n', 'x1 x2']);
  });

  it('two of one order that failed together stay in order, however their next tries are spread', async () => {
    // The first is tried again soon, the second late: the first fails again meanwhile and must not end up behind it.
    const randoms = [0, 0.999, 0.999, 0];
    const { clock, add, call, named } = setUp({ random: () => randoms.shift() ?? 0.5 });

    add('x1', 'x');
    add('x2', 'x');
    await clock.advance(0);
    await call(0).answer(() => new Fault(true));
    await clock.advance(45);
    expect(named()).toEqual(['x1 x2', 'x1']);
    await call(1).answer(() => new Fault(true));
    await clock.advance(1_000);

    expect(named().slice(2).join(' ')).toBe('x1 x2');
  });

  it('a next try that is due while another call is under way waits for it without spinning', async () => {
    const { clock, add, call, named } = setUp();

    add('a');
    await clock.advance(0);
    await call(0).answer(() => new Fault(true));
    add('b');
    await clock.advance(0);
    await clock.advance(5_000);
    expect(named()).toEqual(['a', 'b']);
    await call(1).answer();

    expect(named()).toEqual(['a', 'b', 'a']);
  });

  it('with several calls at once, a retry behind items that may not leave yet is on time', async () => {
    const { clock, add, call, named } = setUp({ maxConcurrent: 3, maxBatch: 1 });

    add('x1', 'x');
    add('y1', 'y');
    await clock.advance(0);
    add('x2', 'x');
    await clock.advance(0);
    await call(1).answer(() => new Fault(true));
    await clock.advance(50);

    expect(named()).toEqual(['x1', 'y1', 'y1']);
  });

  it('items of one order are never in two calls at once', async () => {
    const { clock, add, call, named } = setUp({ maxConcurrent: 4 });

    add('x1', 'x');
    await clock.advance(0);
    add('x2', 'x');
    add('y1', 'y');
    await clock.advance(0);
    expect(named()).toEqual(['x1', 'y1']);
    await call(0).answer();

    expect(named()).toEqual(['x1', 'y1', 'x2']);
  });
});

describe('deadlines', () => {
  it('an item that keeps failing ends with its last failure', async () => {
    const { clock, add, ended } = setUp({ call: async (batch) => batch.map(() => ({ error: new Fault(true) })) });

    add('a');
    await clock.advance(29_999);
    expect(ended.size).toBe(0);
    await clock.advance(1);

    expect(ended.get('a')).toMatchObject({ code: 'unavailable', retryable: true, outcomeUnknown: false });
    expect(clock.pending).toBe(0);
  });

  it('an item that nobody answers for ends as a timeout of unknown outcome, and makes room for others', async () => {
    const { clock, add, call, named, ended } = setUp();

    add('a');
    await clock.advance(20_000);
    add('b');
    await clock.advance(10_000);
    expect(ended.get('a')).toMatchObject({ code: 'timeout', retryable: true, outcomeUnknown: true });
    expect(named()).toEqual(['a', 'b']);
    await call(1).answer();
    await call(0).answer();

    expect(ended.get('b')).toMatchObject({ name: 'b' });
    expect(ended.get('a')).toMatchObject({ code: 'timeout' });
    expect(clock.pending).toBe(0);
  });

  it('an item that only waited behind one without an answer was never sent, and its error says so', async () => {
    const { clock, add, ended } = setUp({ deadlineMs: 1_000 });

    add('a');
    await clock.advance(0);
    add('b');
    await clock.advance(1_000);

    expect(ended.get('b')).toMatchObject({ code: 'timeout', outcomeUnknown: false });
  });

  it('items of one call that were added at different times end at different times', async () => {
    const { clock, add, call, named, ended } = setUp();

    add('first');
    await clock.advance(10);
    add('a');
    await clock.advance(10);
    add('b');
    await call(0).answer();
    expect(named()).toEqual(['first', 'a b']);
    await clock.advance(29_995);
    expect([...ended.keys()]).toEqual(['first', 'a']);
    await clock.advance(10);

    expect([...ended.keys()]).toEqual(['first', 'a', 'b']);
    expect(clock.pending).toBe(0);
  });
});

describe('giving up', () => {
  it('what had not left is withdrawn and never sent', async () => {
    const { clock, queue, add, call, named, ended } = setUp();

    add('a');
    await clock.advance(0);
    const added = add('b');

    expect(queue.withdraw(added)).toBe('withdrawn');
    expect(queue.withdraw(added)).toBe('ended');
    await call(0).answer();
    expect(named()).toEqual(['a']);
    expect(ended.has('b')).toBe(false);
    expect([queue.size, clock.pending]).toEqual([0, 0]);
  });

  it('what is under way is left to itself: its answer is not heard, its order is still kept', async () => {
    const { clock, queue, add, call, named, ended } = setUp({ maxConcurrent: 2 });

    const added = add('x1', 'x');
    add('y1', 'y');
    await clock.advance(0);

    expect(queue.withdraw(added)).toBe('under-way');
    add('x2', 'x');
    await clock.advance(0);
    expect(named()).toEqual(['x1 y1']);
    await call(0).answer();
    await call(1).answer();
    expect(named()).toEqual(['x1 y1', 'x2']);
    expect([...ended.keys()]).toEqual(['y1', 'x2']);
    expect([queue.size, clock.pending]).toEqual([0, 0]);
  });

  it('what waits for its next try may have taken effect only if a try said so', async () => {
    for (const unknown of [false, true]) {
      const { clock, queue, add, call } = setUp();
      const added = add('a');
      await clock.advance(0);
      await call(0).answer(() => new Fault(true, unknown));

      expect(queue.withdraw(added)).toBe(unknown ? 'under-way' : 'withdrawn');
      expect([queue.size, clock.pending]).toEqual([0, 0]);
    }
  });

  it('withdrawing the one that is retried lets the next of its order go', async () => {
    const { clock, queue, add, call, named } = setUp();

    const added = add('x1', 'x');
    await clock.advance(0);
    await call(0).answer(() => new Fault(true));
    add('x2', 'x');
    await clock.advance(0);
    queue.withdraw(added);

    expect(named()).toEqual(['x1', 'x2']);
  });

  it('abandoning ends all at once: the waiting as never sent, those under way as unknown', async () => {
    const { clock, queue, add, call, ended } = setUp();

    add('a');
    await clock.advance(0);
    add('b');
    queue.abandon('closed', undefined);

    expect(ended.get('a')).toMatchObject({ code: 'closed', outcomeUnknown: true });
    expect(ended.get('b')).toMatchObject({ code: 'closed', outcomeUnknown: false });
    await call(0).answer();
    expect([queue.size, clock.pending]).toEqual([0, 0]);
    await queue.idle();
  });
});

describe('whatever the other side does', () => {
  const behaviour = fc.record({
    // The last is far beyond the deadline: for those who wait, it never answers.
    takesMs: fc.constantFrom(0, 0, 1, 20, 300, 2_000, 60_000),
    outcomes: fc.array(fc.constantFrom('done', 'done', 'again', 'unknown', 'bad'), { minLength: 1, maxLength: 4 }),
  });
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('add' as const), order: fc.constantFrom(null, 'x', 'y') }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.integer({ min: 0, max: 400 }) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('give up' as const), which: fc.nat() }) },
  );

  it('each item ends exactly once, and those of one order neither overlap nor overtake', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({ maxBatch: fc.integer({ min: 1, max: 5 }), maxConcurrent: fc.integer({ min: 1, max: 4 }) }),
        fc.array(behaviour, { minLength: 1, maxLength: 8 }),
        fc.array(step, { maxLength: 40 }),
        fc.array(fc.double({ min: 0, max: 0.999, noNaN: true }), { minLength: 1 }),
        async (limits, behaviours, steps, randoms) => {
          const clock = new VirtualClock(0);
          const world = new World(clock, behaviours);
          let draws = 0;
          const queue = new CallQueue<Numbered, number>({
            clock,
            random: () => randoms[draws++ % randoms.length] as number,
            classify: (error) => ({
              code: 'unavailable',
              retryable: error !== 'bad',
              outcomeUnknown: error === 'unknown',
            }),
            orderOf: ({ order }) => order,
            deadlineMs: 3_000,
            call: (batch) => world.call(batch),
            ...limits,
          });
          const given: AddedCall[] = [];
          for (const one of steps) {
            if (one.kind === 'pass') await clock.advance(one.ms);
            else if (one.kind === 'add') {
              const item = { n: given.length, order: one.order };
              given.push(
                queue.add(
                  item,
                  () => world.end(item, 'answered'),
                  () => world.end(item, 'failed'),
                ),
              );
            } else if (given.length > 0) {
              const n = one.which % given.length;
              if (queue.withdraw(given[n] as AddedCall) !== 'ended') world.end({ n, order: null }, 'given up');
            }
          }
          await clock.advance(3_000);

          expect(world.ended.size).toBe(given.length);
          expect(queue.size).toBe(0);
          await queue.idle();
          await clock.advance(60_000);
          expect(clock.pending).toBe(0);
        },
      ),
      { numRuns: 500 },
    );
  });
});

type Behaviours = readonly { readonly takesMs: number; readonly outcomes: readonly string[] }[];

interface Numbered {
  readonly n: number;
  readonly order: string | null;
}

/** The other side of the property: behaves as it is told, and looks whether its caller keeps the rules. */
class World {
  readonly ended = new Set<number>();
  readonly #clock: VirtualClock;
  readonly #behaviours: Behaviours;
  readonly #underWay = new Set<readonly Numbered[]>();
  readonly #lastAnswered = new Map<string, number>();
  #calls = 0;

  constructor(clock: VirtualClock, behaviours: Behaviours) {
    this.#clock = clock;
    this.#behaviours = behaviours;
  }

  end({ n, order }: Numbered, how: string): void {
    expect(this.ended.has(n), `item ${n} ends once`).toBe(false);
    this.ended.add(n);
    if (order === null || how !== 'answered') return;
    expect(n, 'answers keep the order').toBeGreaterThan(this.#lastAnswered.get(order) ?? -1);
    this.#lastAnswered.set(order, n);
  }

  async call(batch: readonly Numbered[]): Promise<readonly Outcome<number>[]> {
    const { takesMs, outcomes } = this.#behaviours[this.#calls++ % this.#behaviours.length] as Behaviours[number];
    for (const { n, order } of batch) {
      expect(this.ended.has(n), `item ${n} is not sent after its end`).toBe(false);
      if (order === null) continue;
      const others = [...this.#underWay].flat().filter((other) => other.order === order && !this.ended.has(other.n));
      expect(others, `nothing of order ${order} is under way`).toEqual([]);
    }
    this.#underWay.add(batch);
    await new Promise<void>((resolve) => this.#clock.schedule(resolve, takesMs));
    this.#underWay.delete(batch);
    const failed = new Set<string | null>();
    return batch.map(({ n, order }, index) => {
      // As a driver does it: after one of an order has failed, the later ones fail retryably.
      const outcome = order !== null && failed.has(order) ? 'again' : outcomes[index % outcomes.length];
      if (outcome === 'done') return { answer: n };
      failed.add(order);
      return { error: outcome };
    });
  }
}
