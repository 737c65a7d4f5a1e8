import { describe, expect, test } from 'vitest';
import { everyEnd, givenUp, lostQueue, outcomeOf, type Scenario } from './scenarios.js';

/*
 * A crash is planted around every step that any stage makes to the outside: store, runner, queue. One run per step and
 * side, each with one crash; what follows is a new process on what the dead one left.
 */

const sides = ['before', 'after'] as const;
const scenarios: readonly (readonly [name: string, scenario: Scenario])[] = [
  ['builds of every end', everyEnd],
  ['a queue that was lost', lostQueue],
  ['a runner that never answers', givenUp],
];
const outboxes = [
  ['with its ack in one instant', true],
  ['before its ack, message by message', false],
] as const;

describe.each(scenarios)('%s', (_name, scenario) => {
  test.each(outboxes)(
    'a crash before or after any step loses, doubles and hangs nothing; the outbox leaves %s',
    async (_name, atomicOutbox) => {
      const faults = { atomicOutbox };
      const calm = await outcomeOf(scenario, { faults });
      expect(calm.violations).toEqual([]);

      const wrong: string[] = [];
      for (const [index, step] of calm.steps.entries()) {
        for (const side of sides) {
          const crash = (_step: string, number: number) => (number === index + 1 ? side : null);
          const { violations, crashes } = await outcomeOf(scenario, { faults, crash });
          if (crashes === 0) wrong.push(`${side} ${index + 1} ${step}: no crash`);
          for (const violation of violations) wrong.push(`${side} ${index + 1} ${step}: ${violation}`);
        }
      }

      expect(wrong).toEqual([]);
    },
    60_000,
  );
});

test('two crashes, the second soon after the first, lose, double and hang nothing', async () => {
  const { steps } = await outcomeOf(everyEnd);
  const wrong: string[] = [];
  let runs = 0;
  for (let first = 1; first <= steps.length; first += 4) {
    for (const gap of [1, 2, 4, 7, 11]) {
      for (const [one, other] of [sides, sides.toReversed(), ['after', 'after'] as const]) {
        const second = first + gap;
        const crash = (_step: string, number: number) =>
          number === first ? (one ?? null) : number === second ? (other ?? null) : null;
        const { violations } = await outcomeOf(everyEnd, { crash, faults: { atomicOutbox: runs++ % 2 === 0 } });
        for (const violation of violations) wrong.push(`${one} ${first}, ${other} ${second}: ${violation}`);
      }
    }
  }

  expect(wrong).toEqual([]);
}, 60_000);

test.each(['settle ack', 'store.compareAndSet', 'runner.trigger', 'runner.status'])(
  'processes that die at every %s, until their messages are given up, hang no build',
  async (killer) => {
    let deaths = 0;
    const crash = (step: string) => (step === killer && ++deaths <= 100 ? 'before' : null);

    const { violations, crashes } = await outcomeOf(
      { ...everyEnd, ends: {}, lookAtMs: null, expects: 'dead-letters' },
      { crash },
    );

    expect(crashes).toBeGreaterThan(20);
    expect(violations.filter((violation) => !violation.startsWith('wrong end'))).toEqual([]);
  },
);

test('the scenarios take every step that there is', async () => {
  const taken = new Set<string>();
  for (const [, scenario] of scenarios) {
    for (const [, atomicOutbox] of outboxes) {
      for (const step of (await outcomeOf(scenario, { faults: { atomicOutbox } })).steps) taken.add(step);
    }
  }

  const stores = ['store.list', 'store.createIfAbsent', 'store.load', 'store.loadByBuildId', 'store.compareAndSet'];
  const runners = ['runner.trigger', 'runner.status', 'runner.cancel'];
  const queues = ['receive', 'send', 'settle outbox', 'settle ack', 'settle release'];
  expect([...taken].toSorted()).toEqual([...stores, ...runners, ...queues].toSorted());
});
