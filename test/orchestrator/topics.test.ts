import { describe, expect, test } from 'vitest';
import { buildId } from '../../src/buildrunner/index.js';
import { createOrchestrator, memoryBuildStore, orchestratorTopics } from '../../src/orchestrator/index.js';
import { defaultPollDelays, pollDelayMs } from '../../src/orchestrator/poll-delay.js';
import { backoff, type Topic } from '../../src/queue/index.js';
import { buildAt, jobRequest } from './requests.js';

const topics = orchestratorTopics();

describe('the topics of an orchestrator', () => {
  test('have the names of the decision page, and are unordered', () => {
    expect(Object.values(topics).map(({ name }) => name)).toEqual([
      'jobs',
      'build.requested',
      'build.signal',
      'build.finished',
      'build.dead',
    ]);
    expect(Object.values(topics).every(({ ordering }) => ordering === 'none')).toBe(true);
  });

  test('send a notice of every dead letter to build.dead, except its own', () => {
    const { dead, ...others } = topics;

    for (const topic of Object.values(others)) expect(topic.deadLetters.notice).toBe(dead);
    expect(dead.deadLetters.notice).toBeNull();
    expect(dead.maxAttempts).toBe(Number.POSITIVE_INFINITY);
  });

  test('give up before the sweep takes a message for lost', () => {
    const sweepGraceMs = 10 * 60_000;
    for (const topic of [topics.jobs, topics.requested, topics.signal, topics.finished]) {
      expect(retryingMs(topic)).toBeGreaterThan(3 * 60_000);
      expect(retryingMs(topic)).toBeLessThan(sweepGraceMs);
    }
  });

  test("have the groups of build.finished that were asked for, and the orchestrator's own", () => {
    const { finished } = orchestratorTopics({ finishedGroups: ['poster', 'stats'] });

    expect(Object.keys(finished.groups)).toEqual(['default', 'poster', 'stats']);
  });

  test.for([
    [{ finishedGroups: ['default'] }, 'must not name "default"'],
    [{ finishedGroups: ['a', 'a'] }, 'must name each group once'],
    [{ finishedGroups: ['stats', '__proto__'] }, 'finishedGroups.1: must not be "__proto__"'],
    [{ finishedGroups: 'stats' }, 'must be a list of names'],
    [{ finishedGroup: ['stats'] }, 'finishedGroup'],
    [{ finishedGroups: ['#'] }, '#'],
  ])('refuse %o with the remedy', ([options, message]) => {
    expect(() => orchestratorTopics(options as never)).toThrow(
      expect.objectContaining({ code: 'invalid', message: expect.stringContaining(message as string) }),
    );
  });
});

describe('the body of build.signal', () => {
  const read = (body: unknown) => topics.signal.schema.safeParse(body);

  test('says what it is by what it has', () => {
    expect(read({ id: 'b-1', poll: 3 }).data).toEqual({ buildId: buildId('b-1'), kind: 'poll', poll: 3 });
    expect(read({ id: 'b-1', deadline: true }).data).toEqual({ buildId: buildId('b-1'), kind: 'deadline' });
    expect(read({ id: 'b-1', from: 'a webhook' }).data).toEqual({ buildId: buildId('b-1'), kind: 'push' });
  });

  test.for([
    [{}, 'id'],
    [{ id: '' }, 'it is empty'],
    [{ id: 'b-1', poll: 0 }, 'must be at least 1'],
    [{ id: 'b-1', poll: 1.5 }, 'must be a whole number'],
    [{ id: 'b-1', deadline: false }, 'must be true or left out'],
    [{ id: 'b-1', poll: 1, deadline: true }, 'must not have both'],
  ])('%o is refused', ([body, message]) => {
    expect(JSON.stringify(read(body).error?.issues)).toContain(message);
  });
});

describe('the delay between two polls', () => {
  test('is 5 s after accepted and 2 s after running, 10 % more or less', () => {
    expect(pollDelayMs(buildAt('accepted'), defaultPollDelays, 0.5)).toBe(5_000);
    expect(pollDelayMs(buildAt('running'), defaultPollDelays, 0.5)).toBe(2_000);
    expect(pollDelayMs(buildAt('running'), defaultPollDelays, 0)).toBe(1_800);
    expect(pollDelayMs(buildAt('running'), defaultPollDelays, 0.999_999)).toBe(2_200);
  });

  test.for([Number.NaN, -1, 2, Number.POSITIVE_INFINITY, undefined])(
    'has no jitter where chance answers %o',
    (random) => {
      expect(pollDelayMs(buildAt('running'), defaultPollDelays, random as number)).toBe(2_000);
    },
  );

  test('is that of the queue which the build is in, where the queue has one', () => {
    const delays = { ...defaultPollDelays, queues: { 'linux-aarch64': { runningMs: 30_000 } } };
    const there = { request: jobRequest(1, { runs_on: 'linux-aarch64' }) };

    expect(pollDelayMs(buildAt('running', there), delays, 0.5)).toBe(30_000);
    expect(pollDelayMs(buildAt('accepted', there), delays, 0.5)).toBe(5_000);
    expect(pollDelayMs(buildAt('running'), delays, 0.5)).toBe(2_000);
    expect(pollDelayMs(buildAt('running', { request: jobRequest(1, { runs_on: 'toString' }) }), delays, 0.5)).toBe(
      2_000,
    );
  });
});

describe('wrong options of an orchestrator are errors that say what to do', () => {
  const queue = { publish() {}, publishAfter() {}, consume() {} };
  const runner = { trigger() {}, status() {}, cancel() {} };
  const right = { queue, runner, topics, store: memoryBuildStore() };

  test.for([
    [{ queue: {} }, 'option queue must be what openQueue answers'],
    [{ topics: {} }, 'option topics must be what orchestratorTopics answers'],
    [{ runner: 'noop' }, 'option runner must be a build runner'],
    [{ store: null }, 'option store must be a build store'],
    [{ clock: Date }, 'option clock must be a clock'],
    [{ sweepEveryMs: Number.NaN }, 'option sweepEveryMs must be a whole number of milliseconds from 1'],
    [{ sweepGraceMs: -1 }, 'option sweepGraceMs must be a whole number of milliseconds from 1'],
    [{ buildDeadlineMs: 40 * 86_400_000 }, 'to 2592000000'],
    [{ concurrency: 0 }, 'option concurrency must be at least 1'],
    [{ stepTimeoutMs: Number.POSITIVE_INFINITY }, 'option stepTimeoutMs must be'],
    [{ random: 0.5 }, 'option random must be a function'],
    [{ onChange: true }, 'option onChange must be a function'],
    [{ sweepMs: 5 }, 'must not have "sweepMs"; take it out or correct its spelling'],
    [{ pollDelays: { runningMs: -2_000 } }, 'option pollDelays.runningMs must be a whole number'],
    [{ pollDelays: { jitter: 2 } }, 'option pollDelays.jitter must be a number from 0 to 1'],
    [{ pollDelays: { queues: { linux: { runing: 1 } } } }, 'option pollDelays.queues.linux must not have "runing"'],
  ])('%o', ([wrong, message]) => {
    expect(() => createOrchestrator({ ...right, ...(wrong as object) } as never)).toThrow(
      expect.objectContaining({ code: 'invalid', message: expect.stringContaining(message as string) }),
    );
  });

  test.for(Object.keys(topics))('topics whose %s is none', (name) => {
    for (const none of [1, null, { name: 'jobs' }]) {
      expect(() => createOrchestrator({ ...right, topics: { ...topics, [name]: none } } as never)).toThrow(
        expect.objectContaining({
          code: 'invalid',
          message: expect.stringContaining('option topics must be what orchestratorTopics answers'),
        }),
      );
    }
  });

  test('and right ones make an orchestrator that does nothing yet', () => {
    expect(() => createOrchestrator({ ...right, pollDelays: { runningMs: undefined } } as never)).not.toThrow();
  });
});

/** The longest that a message is retried for. */
function retryingMs(topic: Topic): number {
  let ms = 0;
  for (let n = 1; n < topic.maxAttempts; n++) ms += backoff(n, topic.backoff, 1);
  return ms;
}
