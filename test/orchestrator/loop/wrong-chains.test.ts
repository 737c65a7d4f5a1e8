import { describe, expect, test } from 'vitest';
import { decideRequested, decideSignal } from '../../../src/orchestrator/decide.js';
import { pollName } from '../../../src/orchestrator/names.js';
import type { Tables } from '../../../src/orchestrator/orchestrator.js';
import type { Send } from '../../../src/queue/driver.js';
import { job, requestId } from '../requests.js';
import { everyEnd, outcomeOf, type Scenario } from './scenarios.js';
import type { Traffic } from './traffic.js';

/*
 * Three ways to write the chain that look right, each of which was somebody's. The loop's assertions have to notice
 * them; a loop that lets one of them pass shows nothing.
 */

const steps = (await outcomeOf(everyEnd)).steps;

/** Violations over a crash after each compare-and-set, before what follows from it could leave. */
async function overCrashes(tables: Partial<Tables>): Promise<readonly string[]> {
  const found: string[] = [];
  for (const [index, step] of steps.entries()) {
    if (step !== 'store.compareAndSet') continue;
    const crash = (_step: string, number: number) => (number === index + 1 ? ('after' as const) : null);
    found.push(...(await outcomeOf(everyEnd, { tables, crash })).violations);
  }
  return found;
}

/** Violations when one poll message is stored twice and nothing else goes wrong. */
async function withOneDuplicate(tables: Partial<Tables>): Promise<readonly string[]> {
  const duplicated = (send: Send): boolean => send.message.id === pollName(requestId(2), 2);
  return (await outcomeOf(everyEnd, { tables, faults: { duplicated } })).violations;
}

describe('dropping every lower n', () => {
  const tables: Partial<Tables> = { signal: (build, signal) => decideSignal(build, signal, false) };

  test('kills the chain whose consumer died between store and ack, and is noticed', async () => {
    const found = await overCrashes(tables);

    expect(found).toContainEqual(expect.stringMatching(/^dead chain: /));
    expect(await overCrashes({})).toEqual([]);
  });

  test('would not be noticed by duplicates alone', async () => {
    expect(await withOneDuplicate(tables)).toEqual([]);
  });
});

describe('sending again on every lower n', () => {
  const tables: Partial<Tables> = { signal: (build, signal) => decideSignal(build, signal, true) };

  test('makes two chains of one duplicate for ever, and is noticed', async () => {
    const found = await withOneDuplicate(tables);

    expect(found).toContainEqual(expect.stringMatching(/^two chains: .* has the polls (\d+) \1$/));
    expect(await withOneDuplicate({})).toEqual([]);
  });

  test('would not be noticed while nothing comes twice', async () => {
    expect((await outcomeOf(everyEnd, { tables })).violations).toEqual([]);
  });
});

describe('publishing again under the own id of the message', () => {
  /** Every poll of a build has the id of its first one. */
  const underItsOwnId = (send: Send): Send => {
    const id = send.message.id?.replace(/\/poll\/\d+$/, '/poll/1') ?? null;
    return { ...send, message: { ...send.message, id } };
  };
  /** A queue that stores no second message of an id while it has the first, which is still in work. */
  const dedupById = (send: Send, traffic: Traffic): Send | null =>
    send.target.kind === 'topic' && traffic.live.has(send.message.id ?? '') ? null : send;

  test('with an id-based dedup kills the chain after its first poll, and is noticed', async () => {
    const rewrite = (send: Send, traffic: Traffic) => dedupById(underItsOwnId(send), traffic);
    const { violations } = await outcomeOf(everyEnd, { faults: { rewrite } });

    expect(violations).toContainEqual(expect.stringMatching(/^dead chain: /));
    expect(violations).toContainEqual(`wrong end: ${requestId(1)} is failed, timed out`);
  });

  test('does no harm in a queue that drops no message for its id', async () => {
    expect((await outcomeOf(everyEnd, { faults: { rewrite: underItsOwnId } })).violations).toEqual([]);
  });

  test('with an id-based dedup would not be noticed with builds that are done at their first poll', async () => {
    const rewrite = (send: Send, traffic: Traffic) => dedupById(underItsOwnId(send), traffic);
    const atOnce: Scenario = {
      ...everyEnd,
      jobs: [job(1)],
      runner: { seed: 'at once', rules: [{ when: {}, outcome: { end: 'succeeded' } }] },
      events: [],
    };

    expect((await outcomeOf(atOnce, { faults: { rewrite } })).violations).toEqual([]);
  });
});

describe('forgetting what a dead consumer owed, elsewhere in the loop, is noticed', () => {
  test('the first poll and the deadline of a triggered build', async () => {
    const found = await overCrashes({ requested: (build) => decideRequested(build, false) });

    expect(found).toContainEqual(expect.stringMatching(/^hung: /));
  });

  test('the end of a build', async () => {
    const signal: Tables['signal'] = (build, signal, secondHandOut) => {
      const decision = decideSignal(build, signal, secondHandOut);
      return decision.do === 'announce' ? { do: 'drop', why: 'it has ended' } : decision;
    };

    expect(await overCrashes({ signal })).toContainEqual(expect.stringMatching(/^hung: /));
  });
});
