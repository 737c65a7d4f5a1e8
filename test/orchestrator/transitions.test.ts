import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { buildId, buildStatuses } from '../../src/buildrunner/index.js';
import { type Build, buildStates, hasEnded } from '../../src/orchestrator/index.js';
import {
  announced,
  cancelRequested,
  cancelSent,
  created,
  deadLettered,
  forgotten,
  moves,
  observed,
  overdue,
  owesCancel,
  pollTaken,
  reminded,
  timedOut,
  triggered,
} from '../../src/orchestrator/transitions.js';
import { buildAt, jobRequest, report, requestedBuild, startedAt } from './requests.js';

const now = startedAt + 10_000;
const triggerFacts = { buildId: buildId('b-2'), firstPollMs: 5_000, deadlineMs: 60_000, now };

/** Every fact there is, with the table entry it moves by, or null where it moves nothing. */
const facts: readonly (readonly [name: string, move: keyof typeof moves | null, apply: (build: Build) => Build])[] = [
  ['triggered', 'triggered', (build) => triggered(build, triggerFacts)],
  ...buildStatuses.map(
    (status) => [`observed ${status}`, 'observed', (build: Build) => observed(build, report(status), now)] as const,
  ),
  ['forgotten', 'forgotten', (build) => forgotten(build, now)],
  ['timedOut', 'timedOut', (build) => timedOut(build, now)],
  ['deadLettered', 'deadLettered', (build) => deadLettered(build, 'given up', now)],
  ['overdue', null, (build) => overdue(build, now)],
  ['pollTaken', null, (build) => pollTaken(build, 3, 2_000, now)],
  ['cancelRequested', null, (build) => cancelRequested(build, 'not wanted', now)],
  ['cancelSent', null, (build) => cancelSent(build, now)],
  ['announced', null, (build) => announced(build, now)],
  ['reminded', null, (build) => reminded(build, now)],
];

const states: readonly Build[] = [requestedBuild(), ...buildStatuses.map((status) => buildAt(status))];

describe('the table of moves', () => {
  test('the diagram in docs/build-states.md is the table', () => {
    const drawn = readFileSync(new URL('../../docs/build-states.md', import.meta.url), 'utf8')
      .split('\n')
      .flatMap((line) => {
        const arrow = /^ {4}(\S+) --> (\S+?)(?:: (.*))?$/.exec(line);
        return arrow === null ? [] : [[arrow[1], arrow[2], arrow[3] ?? ''] as const];
      })
      .flatMap(([from, to, by]) => by.split(', ').map((one) => `${from} -> ${to}: ${one}`));

    const inTable = Object.entries(moves).flatMap(([by, list]) => list.map(([from, to]) => `${from} -> ${to}: ${by}`));
    const ends = buildStatuses.filter((status) => hasEnded(buildAt(status)));
    const inAndOut = ['[*] -> requested: created', ...ends.map((end) => `${end} -> [*]: `)];
    expect(drawn.toSorted()).toEqual([...inTable, ...inAndOut].toSorted());
  });

  test.for(
    states.flatMap((build) => facts.map(([name, move, apply]) => [build.status, name, move, apply, build] as const)),
  )('%s, %s: moves as the table says, or not at all', ([status, name, move, apply, build]) => {
    const next = apply(build);

    const allowed: readonly string[] =
      move === null ? [] : moves[move].filter(([from]) => from === status).map(([, to]) => to);
    if (next.status !== status) expect(allowed).toContain(next.status);
    const observedStatus = name.startsWith('observed ') ? name.slice('observed '.length) : null;
    if (observedStatus !== null && allowed.includes(observedStatus)) expect(next.status).toBe(observedStatus);
    if (observedStatus === null && allowed.length > 0) expect(allowed).toContain(next.status);
  });

  test.for(states.filter(hasEnded))('nothing but announcing and reminding changes a build that is $status', (build) => {
    for (const [name, , apply] of facts) {
      const next = apply(build);

      expect(next.status).toBe(build.status);
      if (name === 'announced') expect(next).toEqual({ ...build, announced: true, updatedAt: now });
      else if (name === 'reminded') expect(next).toEqual({ ...build, remindedAt: now, updatedAt: now });
      else expect(next).toBe(build);
    }
  });

  test('every state is reached, and no fact changes the record it was given', () => {
    const reached = new Set<string>(['requested', ...Object.values(moves).flatMap((list) => list.map(([, to]) => to))]);
    expect([...reached].toSorted()).toEqual([...buildStates].toSorted());

    for (const build of states) {
      const before = structuredClone(build);
      for (const [, , apply] of facts) apply(build);
      expect(build).toEqual(before);
    }
  });
});

describe('what a fact writes', () => {
  test('a created build is requested and has nothing yet', () => {
    const build = created(jobRequest(7), now);

    expect(build).toMatchObject({
      requestId: jobRequest(7).request_id,
      status: 'requested',
      buildId: null,
      nextPoll: 0,
      version: 1,
    });
    expect(build).toMatchObject({ createdAt: now, nextPollAt: null, deadlineAt: null, announced: false });
  });

  test('a triggered build has its name, poll 1 and a deadline', () => {
    const build = triggered(requestedBuild(), triggerFacts);

    expect(build).toMatchObject({ status: 'accepted', buildId: { id: 'b-2' }, nextPoll: 1, triggeredAt: now });
    expect(build).toMatchObject({ nextPollAt: now + 5_000, deadlineAt: now + 60_000, finishedAt: null });
  });

  test('an answer that was overtaken counts as a poll and moves nothing back', () => {
    const build = observed(buildAt('running', { polls: 4 }), report('accepted', { url: 'u' }), now);

    expect(build).toMatchObject({ status: 'running', polls: 5, metadata: { url: 'u' } });
  });

  test('an end has a time and no next poll', () => {
    for (const end of [observed(buildAt('running'), report('failed'), now), timedOut(buildAt('accepted'), now)]) {
      expect(end).toMatchObject({ status: 'failed', finishedAt: now, nextPollAt: null, announced: false });
    }
    expect(timedOut(buildAt('running'), now).reason).toBe('timed out');
    expect(forgotten(buildAt('running'), now).reason).toBe('unknown to the runner');
    expect(deadLettered(requestedBuild(), 'given up', now).reason).toBe('given up');
    expect(observed(buildAt('running'), report('failed'), now).reason).toBeNull();
  });

  test('a taken poll makes the next one due, whatever number the record had', () => {
    expect(pollTaken(buildAt('running', { nextPoll: 2 }), 9, 2_000, now)).toMatchObject({
      nextPoll: 10,
      nextPollAt: now + 2_000,
    });
  });

  test('a cancel is owed from its request until the runner took it, and the first reason stays', () => {
    const requested = cancelRequested(cancelRequested(buildAt('running'), 'superseded', now), 'another', now + 1);
    const sent = cancelSent(requested, now + 2);

    expect(requested).toMatchObject({ cancelRequestedAt: now, cancelReason: 'superseded' });
    expect([owesCancel(buildAt('running')), owesCancel(requested), owesCancel(sent)]).toEqual([false, true, false]);
    expect(observed(sent, report('cancelled'), now + 3)).toMatchObject({ status: 'cancelled', reason: 'superseded' });
    expect(observed(buildAt('running'), report('cancelled'), now).reason).toBeNull();
    expect(observed(sent, report('succeeded'), now + 3).reason).toBeNull();
  });

  test('a cancelled build that nobody wanted cancelled has timed out, once its deadline is on record', () => {
    const late = overdue(buildAt('running', { polls: 4 }), now);

    expect(observed(late, report('cancelled'), now)).toMatchObject({ status: 'failed', reason: 'timed out', polls: 5 });
    expect(observed(late, report('succeeded'), now)).toMatchObject({ status: 'succeeded', reason: null });
    expect(observed(cancelRequested(late, 'superseded', now), report('cancelled'), now)).toMatchObject({
      status: 'cancelled',
      reason: 'superseded',
    });
  });

  test('what a runner says is cut, so that no end is too large to be told', () => {
    const chatty = Object.fromEntries(Array.from({ length: 500 }, (_, n) => [`k${n}`, '🚦'.repeat(100_000)]));

    const { metadata } = observed(buildAt('running'), report('succeeded', chatty), now);

    expect(Buffer.byteLength(JSON.stringify(metadata))).toBeLessThan(512 * 1024);
    expect(Object.values(metadata).every((value) => value.isWellFormed())).toBe(true);
  });

  test.for(['\u001b[31mred\u001b[0m', '\u0000', '"\\', 'ü', '🚦', '\ud800'])(
    'what a runner says is cut by the bytes that it has as JSON: %j',
    (text) => {
      const long = text.repeat(5_000);
      const chatty = Object.fromEntries(Array.from({ length: 500 }, (_, n) => [`${n} ${long}`, long]));

      const { metadata } = observed(buildAt('running'), report('succeeded', chatty), now);
      const { reason } = deadLettered(buildAt('running'), long, now);

      expect(Object.keys(metadata)).toHaveLength(64);
      expect(Buffer.byteLength(JSON.stringify(metadata))).toBeLessThan(300_000);
      expect(Buffer.byteLength(JSON.stringify(reason))).toBeLessThan(2_100);
      for (const kept of [...Object.values(metadata), reason ?? '']) {
        expect(kept.isWellFormed()).toBe(true);
        expect(kept.endsWith('…')).toBe(true);
        expect(kept.length).toBeGreaterThan(300);
      }
    },
  );

  test('what fits is kept as it is', () => {
    const metadata = { url: 'x'.repeat(2_048), summary: '2 of 318 tests failed\n' };

    expect(observed(buildAt('running'), report('failed', metadata), now).metadata).toEqual(metadata);
    expect(deadLettered(buildAt('running'), 'given up', now).reason).toBe('given up');
  });
});
