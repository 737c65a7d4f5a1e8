import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { DriverSubscription, Received } from '../../../src/queue/driver.js';
import { ack, entry, giveBack, release, settled, subscribed, taken, world } from './world.js';

type Ordering = 'none' | 'key';
type Verb = 'ack' | 'release' | 'give-back';

interface Copy {
  readonly id: string;
  readonly key: string | null;
  dueAt: number;
  /** Rises with every change of place; what falls due in one instant is served in this order. */
  order: number;
  state: 'there' | 'in hand';
  leaseEndsAt: number;
  handOuts: number;
}

/** What the model and the driver gave out together. */
interface HandOut {
  readonly received: Received;
  readonly number: number;
}

/** The naive reading of the order of service: one list, sorted anew at every step. */
class Model {
  readonly copies: Copy[] = [];
  #order = 0;

  constructor(readonly ordering: Ordering) {}

  send(id: string, key: string | null, dueAt: number): void {
    this.copies.push({ id, key, dueAt, order: ++this.#order, state: 'there', leaseEndsAt: 0, handOuts: 0 });
  }

  receive(max: number, now: number): { id: string; number: number }[] {
    this.expire(now);
    const due = this.copies.filter(({ state, dueAt }) => state === 'there' && dueAt <= now);
    due.sort((one, other) => one.dueAt - other.dueAt || one.order - other.order);
    const received: { id: string; number: number }[] = [];
    for (const copy of due) {
      const busy = this.copies.some(({ key, state }) => state === 'in hand' && key !== null && key === copy.key);
      if (received.length === max || (this.ordering === 'key' && busy)) continue;
      copy.state = 'in hand';
      copy.leaseEndsAt = now + 30_000;
      received.push({ id: copy.id, number: ++copy.handOuts });
    }
    return received;
  }

  settle({ received, number }: HandOut, verb: Verb, now: number, delayMs: number): 'done' | 'lost' {
    this.expire(now);
    const at = this.copies.findIndex(
      (copy) => copy.id === received.message.id && copy.handOuts === number && copy.state === 'in hand',
    );
    const copy = this.copies[at];
    if (copy === undefined) return 'lost';
    copy.state = 'there';
    if (verb === 'ack') this.copies.splice(at, 1);
    if (verb === 'release') Object.assign(copy, { dueAt: now + delayMs, order: ++this.#order });
    return 'done';
  }

  expire(now: number): void {
    for (const copy of this.copies) if (copy.state === 'in hand' && copy.leaseEndsAt <= now) copy.state = 'there';
  }
}

type Step =
  | { readonly do: 'send'; readonly key: string | null; readonly delayMs: number }
  | { readonly do: 'receive'; readonly max: number }
  | {
      readonly do: 'settle';
      readonly verb: Verb;
      readonly which: number;
      readonly delayMs: number;
    }
  | { readonly do: 'advance'; readonly byMs: number };

const delayMs = fc.constantFrom(0, 0, 0, 10, 20, 30);

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('send' as const), key: fc.constantFrom(null, 'a', 'b', 'c'), delayMs }),
  fc.record({ do: fc.constant('receive' as const), max: fc.integer({ min: 1, max: 4 }) }),
  fc.record({
    do: fc.constant('settle' as const),
    verb: fc.constantFrom('ack' as const, 'release' as const, 'give-back' as const),
    which: fc.nat(20),
    delayMs,
  }),
  fc.record({ do: fc.constant('advance' as const), byMs: fc.constantFrom(5, 10, 15, 30_000) }),
);

test.each<Ordering>(['none', 'key'])('with ordering "%s", the order of service is the model\'s', async (ordering) => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const { driver, clock } = await world({ ordering, lanes: ordering === 'key' ? 4 : 1 });
      const subscription = await subscribed(driver);
      const model = new Model(ordering);
      const handOuts: HandOut[] = [];
      for (const [n, next] of [...steps.entries(), ...finish.map((last): [number, Step] => [-1, last])]) {
        if (next.do === 'advance') await clock.advance(next.byMs);
        if (next.do === 'send') {
          const lane = ordering === 'key' && next.key !== null ? next.key.charCodeAt(0) % 4 : 0;
          await driver.send([entry(`${n}`, { key: next.key, lane, delayMs: next.delayMs })]);
          model.send(`${n}`, next.key, clock.now() + next.delayMs);
        }
        if (next.do === 'receive') handOuts.push(...(await receiveBoth(subscription, model, next.max, clock.now())));
        if (next.do === 'settle' && handOuts.length > 0) {
          const handOut = handOuts[next.which % handOuts.length] as HandOut;
          await settleBoth(subscription, model, handOut, next, clock.now());
        }
      }
    }),
    { numRuns: 300 },
  );
});

/** Whatever was left in hand or delayed comes at last, in the model's order. */
const finish: readonly Step[] = [
  { do: 'advance', byMs: 60_000 },
  { do: 'receive', max: 1000 },
];

async function receiveBoth(subscription: DriverSubscription, model: Model, max: number, now: number) {
  const expected = model.receive(max, now);
  const received = await taken(subscription, max);
  expect(received.map(({ message }) => message.id)).toEqual(expected.map(({ id }) => id));
  return received.map((one, at): HandOut => ({ received: one, number: expected[at]?.number ?? 0 }));
}

/** Settled ones stay in the list: settling again, and settling what was lost, are steps like any other. */
async function settleBoth(
  subscription: DriverSubscription,
  model: Model,
  handOut: HandOut,
  { verb, delayMs }: Extract<Step, { do: 'settle' }>,
  now: number,
): Promise<void> {
  const { receipt } = handOut.received;
  const settlement = verb === 'ack' ? ack(receipt) : verb === 'release' ? release(receipt, delayMs) : giveBack(receipt);
  expect((await settled(subscription, settlement)).status).toBe(model.settle(handOut, verb, now, delayMs));
}
