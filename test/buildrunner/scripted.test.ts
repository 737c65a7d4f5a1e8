import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type OutcomeScript, type ScriptedRule, scriptedRunner } from '../../src/buildrunner/index.js';
import { VirtualClock } from '../../src/queue/virtual-clock.js';
import { requestOf } from './requests.js';

const startMs = Date.UTC(2026, 0, 1);

function runnerWith(outcome: OutcomeScript) {
  const clock = new VirtualClock(startMs);
  return { clock, runner: scriptedRunner({ clock, seed: 1, rules: [{ when: {}, outcome }] }) };
}

describe('an outcome script', () => {
  test('is accepted, then running, then at its end, to the millisecond', async () => {
    const { clock, runner } = runnerWith({ acceptedMs: 1_000, runningMs: 5_000, end: 'failed' });
    const id = await runner.trigger(requestOf('job-1'));

    const seen: string[] = [];
    for (const passMs of [0, 999, 1, 4_999, 1]) {
      await clock.advance(passMs);
      seen.push((await runner.status(id)).status);
    }

    expect(seen).toEqual(['accepted', 'accepted', 'running', 'running', 'failed']);
  });

  test('without durations is done at the first poll', async () => {
    const { runner } = runnerWith({ end: 'succeeded' });

    expect((await runner.status(await runner.trigger(requestOf('job-1')))).status).toBe('succeeded');
  });

  test('tells url and sha from the start, at the end duration, blame and what the script adds', async () => {
    const { clock, runner } = runnerWith({ runningMs: 12_340, end: 'failed', metadata: { summary: '2 tests failed' } });
    const id = await runner.trigger(requestOf('job-1'));
    const begun = { url: `https://builds.example.org/${id.id}`, sha: 'a'.repeat(40) };

    expect((await runner.status(id)).metadata).toEqual(begun);
    await clock.advance(60_000);
    expect((await runner.status(id)).metadata).toEqual({
      ...begun,
      duration: '12.3 s',
      blame: 'head',
      summary: '2 tests failed',
    });
  });

  test('that never ends runs for days, until it is cancelled', async () => {
    const { clock, runner } = runnerWith({ acceptedMs: 10, end: 'never', cancelledAfterMs: 300 });
    const id = await runner.trigger(requestOf('job-1'));
    await clock.advance(7 * 86_400_000);

    await runner.cancel(id);

    expect((await runner.status(id)).status).toBe('running');
    await clock.advance(299);
    expect((await runner.status(id)).status).toBe('running');
    await clock.advance(1);
    expect((await runner.status(id)).status).toBe('cancelled');
  });

  test('ends by itself when it was cancelled too late', async () => {
    const { clock, runner } = runnerWith({ runningMs: 1_000, end: 'succeeded', cancelledAfterMs: 300 });
    const id = await runner.trigger(requestOf('job-1'));
    await clock.advance(701);

    await runner.cancel(id);
    await clock.advance(5_000);

    expect((await runner.status(id)).status).toBe('succeeded');
  });

  test('counts from the first cancel, not from the last', async () => {
    const { clock, runner } = runnerWith({ end: 'never', cancelledAfterMs: 300 });
    const id = await runner.trigger(requestOf('job-1'));

    await runner.cancel(id);
    await clock.advance(200);
    await runner.cancel(id);
    await clock.advance(100);

    expect((await runner.status(id)).status).toBe('cancelled');
  });
});

describe('rules', () => {
  const endOf = async (rules: readonly ScriptedRule[], differing: Parameters<typeof requestOf>[1]): Promise<string> => {
    const runner = scriptedRunner({
      clock: new VirtualClock(),
      seed: 1,
      rules: [...rules, { when: {}, outcome: { end: 'cancelled' } }],
    });
    return (await runner.status(await runner.trigger(requestOf('job-1', differing)))).status;
  };
  const head = [{ repoUrl: 'https://git.example.org/tern/compass.git', commitSha: 'abc' }];
  const hit = { end: 'failed' } as const;

  test.each<[string, ScriptedRule['when'], boolean]>([
    ['the whole string', { repoUrl: 'https://git.example.org/tern/compass.git' }, true],
    ['not a part of the string', { repoUrl: 'compass' }, false],
    ['an expression that finds something', { repoUrl: /compass/ }, true],
    ['a function', { commitSha: (sha) => sha.startsWith('ab') }, true],
    ['the queue name', { queueName: 'nightly' }, true],
    ['another queue name', { queueName: 'main' }, false],
    ['metadata', { metadata: { runs_on: /^linux/ } }, true],
    ['metadata that the request lacks', { metadata: { workflow_path: /.*/ } }, false],
    ['the whole request', { request: (request) => request.base.length === 0 }, true],
    ['all that is named', { repoUrl: /compass/, commitSha: 'other' }, false],
  ])('match by %s', async (_by, when, matches) => {
    const end = await endOf([{ when, outcome: hit }], { head, queueName: 'nightly', metadata: { runs_on: 'linux' } });

    expect(end).toBe(matches ? 'failed' : 'cancelled');
  });

  test('match repository and commit in one change of several', async () => {
    const two = [...head, { repoUrl: 'https://git.example.org/tern/logbook.git', commitSha: 'def' }];

    expect(await endOf([{ when: { repoUrl: /logbook/, commitSha: 'def' }, outcome: hit }], { head: two })).toBe(
      'failed',
    );
    expect(await endOf([{ when: { repoUrl: /logbook/, commitSha: 'abc' }, outcome: hit }], { head: two })).toBe(
      'cancelled',
    );
  });

  test('the first that matches decides', async () => {
    const rules: ScriptedRule[] = [
      { when: { repoUrl: /compass/ }, outcome: { end: 'succeeded' } },
      { when: { repoUrl: /compass/ }, outcome: hit },
    ];

    expect(await endOf(rules, { head })).toBe('succeeded');
  });

  test('a global expression matches every time, not every second', async () => {
    const rule: ScriptedRule = { when: { repoUrl: /compass/g }, outcome: hit };

    const ends = [await endOf([rule], { head }), await endOf([rule], { head }), await endOf([rule], { head })];

    expect(ends).toEqual(['failed', 'failed', 'failed']);
  });
});

describe('the default mix', () => {
  test('fails the share it was told to, and takes the time it was told to', async () => {
    const clock = new VirtualClock(startMs);
    const runner = scriptedRunner({
      clock,
      seed: 7,
      default: { acceptedMs: 100, runningMs: [1_000, 2_000], failedShare: 0.25, cancelledShare: 0.1 },
    });
    const ids = await Promise.all(Array.from({ length: 2_000 }, (_, n) => runner.trigger(requestOf(`job-${n}`))));
    await clock.advance(1_099);
    for (const id of ids) expect((await runner.status(id)).status).toBe('running');
    await clock.advance(1_001);

    const ends = await Promise.all(ids.map(async (id) => (await runner.status(id)).status));

    const share = (status: string): number => ends.filter((end) => end === status).length / ids.length;
    expect(share('failed')).toBeCloseTo(0.25, 1);
    expect(share('cancelled')).toBeCloseTo(0.1, 1);
    expect(share('running')).toBe(0);
  });

  test('blames the base now and then, where there is one', async () => {
    const base = [{ repoUrl: 'https://git.example.org/tern/compass.git', commitSha: 'b'.repeat(40) }];
    const runner = scriptedRunner({
      clock: new VirtualClock(),
      seed: 7,
      default: { acceptedMs: 0, runningMs: 0, failedShare: 1 },
    });
    const blamed = async (key: string, differing = {}): Promise<string | undefined> =>
      (await runner.status(await runner.trigger(requestOf(key, differing)))).metadata.blame;

    const withBase = await Promise.all(Array.from({ length: 100 }, (_, n) => blamed(`with-${n}`, { base })));
    const without = await Promise.all(Array.from({ length: 100 }, (_, n) => blamed(`without-${n}`)));

    expect(new Set(withBase)).toEqual(new Set(['base', 'head']));
    expect(new Set(without)).toEqual(new Set(['head']));
  });
});

describe('determinism', () => {
  const run = async (seed: number, keys: readonly string[], pollsMs: readonly number[]): Promise<unknown> => {
    const clock = new VirtualClock(startMs);
    const runner = scriptedRunner({
      clock,
      seed,
      faults: {
        unreachable: [{ probability: 0.2, lost: 'answer' }],
        forgetful: { afterMs: [0, 40_000], probability: 0.3 },
      },
      default: { failedShare: 0.4 },
    });
    const story = new Map<string, unknown[]>(keys.map((key) => [key, []]));
    for (const key of keys) {
      const id = await runner.trigger(requestOf(key)).catch(() => runner.trigger(requestOf(key)).catch(String));
      story.get(key)?.push(id);
    }
    for (const passMs of pollsMs) {
      await clock.advance(passMs);
      for (const key of keys) {
        const id = story.get(key)?.[0];
        if (typeof id === 'object') story.get(key)?.push(await runner.status(id as never).catch(String));
      }
    }
    return Object.fromEntries([...story].sort(([one], [other]) => (one < other ? -1 : 1)));
  };
  const someKeys = fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 8 });
  const somePolls = fc.array(fc.nat(20_000), { maxLength: 6 });

  test('the same seed, keys and times give the same ids, statuses, metadata and faults', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), someKeys, somePolls, async (seed, keys, polls) => {
        expect(await run(seed, keys, polls)).toEqual(await run(seed, keys, polls));
      }),
      { numRuns: 40 },
    );
  });

  test('the order in which builds are triggered and polled changes nothing', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), someKeys, somePolls, async (seed, keys, polls) => {
        expect(await run(seed, keys.toReversed(), polls)).toEqual(await run(seed, keys, polls));
      }),
      { numRuns: 40 },
    );
  });

  test('another seed gives another story', async () => {
    const keys = Array.from({ length: 10 }, (_, n) => `job-${n}`);

    expect(await run(2, keys, [5_000, 5_000])).not.toEqual(await run(1, keys, [5_000, 5_000]));
  });
});

test('the log tells what was asked and what was really started', async () => {
  const clock = new VirtualClock(startMs);
  const runner = scriptedRunner({ clock, seed: 1 });
  const one = await runner.trigger(requestOf('job-1'));
  await runner.trigger(requestOf('job-1'));
  const other = await runner.trigger(requestOf('job-2'));
  await clock.advance(100);
  await runner.status(one);
  await runner.status(one);
  await runner.cancel(other);

  expect(runner.log.triggers).toEqual(
    new Map([
      ['job-1', 2],
      ['job-2', 1],
    ]),
  );
  expect(runner.log.builds).toMatchObject([
    { id: one.id, startedAt: startMs, request: requestOf('job-1') },
    { id: other.id, startedAt: startMs },
  ]);
  expect(runner.log.statuses).toEqual(new Map([[one.id, 2]]));
  expect(runner.log.cancels).toEqual(new Map([[other.id, 1]]));
  expect(runner.log.calls.at(-1)).toEqual({ operation: 'cancel', subject: other.id, at: startMs + 100, lost: null });
});

test('a build is not changed by what happens to its request afterwards', async () => {
  const runner = scriptedRunner({ clock: new VirtualClock(), seed: 1 });
  const metadata = { runs_on: 'linux' };
  await runner.trigger(requestOf('job-1', { metadata }));

  metadata.runs_on = 'changed';

  expect(runner.log.builds[0]?.request.metadata).toEqual({ runs_on: 'linux' });
});
