import { describe, expect, test } from 'vitest';
import { buildId } from '../../src/buildrunner/index.js';
import { decideDeadLetter, decideRequested, decideSignal, decideSweep } from '../../src/orchestrator/decide.js';
import type { Build } from '../../src/orchestrator/index.js';
import { deadlineName, pollName, signalOfName } from '../../src/orchestrator/names.js';
import { mayBeSecondHandOut } from '../../src/orchestrator/second-hand-out.js';
import { timedOut } from '../../src/orchestrator/transitions.js';
import type { DeadLetterNotice } from '../../src/queue/index.js';
import { buildAt, requestedBuild, requestId, startedAt } from './requests.js';

const id = { buildId: buildId('b-1') };
const poll = (n: number) => ({ ...id, kind: 'poll', poll: n }) as const;
const push = { ...id, kind: 'push' } as const;
const deadline = { ...id, kind: 'deadline' } as const;
const alive = buildAt('running', { nextPoll: 5 });
const ended = buildAt('succeeded');
const told = buildAt('succeeded', { announced: true });

test('only a delivery that was handed out before may be a second hand-out', () => {
  const first = { attempt: 1, postpones: 0, redeliveries: 0 };

  expect(mayBeSecondHandOut(first)).toBe(false);
  expect(mayBeSecondHandOut({ ...first, attempt: 2 })).toBe(true);
  expect(mayBeSecondHandOut({ ...first, postpones: 1 })).toBe(true);
  expect(mayBeSecondHandOut({ ...first, redeliveries: 1 })).toBe(true);
});

describe('a build signal', () => {
  test.for([
    ['no record, poll', null, poll(1), 'fail', 'fail'],
    ['no record, push', null, push, 'fail', 'fail'],
    ['not triggered by its record', requestedBuild(), poll(1), 'fail', 'fail'],
    ['ended and not announced, poll', ended, poll(5), 'drop', 'announce'],
    ['ended and not announced, deadline', ended, deadline, 'drop', 'announce'],
    ['ended and announced, poll', told, poll(5), 'drop', 'drop'],
    ['ended and announced, push', told, push, 'drop', 'drop'],
    ['alive, deadline', alive, deadline, 'time-out', 'time-out'],
    ['alive, push', alive, push, 'look', 'look'],
    ['alive, poll n = nextPoll', alive, poll(5), 'look', 'look'],
    ['alive, poll n = nextPoll - 1', alive, poll(4), 'drop', 'resend-poll'],
    ['alive, poll n < nextPoll - 1', alive, poll(3), 'drop', 'drop'],
    ['alive, poll n > nextPoll', alive, poll(9), 'look', 'look'],
  ] as const)('%s', ([, build, signal, first, second]) => {
    expect(decideSignal(build, signal, false).do).toBe(first);
    expect(decideSignal(build, signal, true).do).toBe(second);
  });

  test('a poll is looked at under its own number, a push under none', () => {
    expect(decideSignal(alive, poll(5), false)).toMatchObject({ poll: 5 });
    expect(decideSignal(alive, poll(9), false)).toMatchObject({ poll: 9 });
    expect(decideSignal(alive, push, false)).toMatchObject({ poll: null });
  });
});

describe('a request for a trigger', () => {
  test.for([
    ['no record', null, 'fail', 'fail'],
    ['requested', requestedBuild(), 'trigger', 'trigger'],
    ['triggered', buildAt('accepted'), 'drop', 'resend'],
    ['polled', alive, 'drop', 'resend'],
    ['ended', ended, 'drop', 'drop'],
  ] as const)('%s', ([, build, first, second]) => {
    expect(decideRequested(build, false).do).toBe(first);
    expect(decideRequested(build, true).do).toBe(second);
  });

  test('poll 1 is sent again only while nobody carried it out', () => {
    expect(decideRequested(buildAt('accepted'), true)).toMatchObject({ poll: true });
    expect(decideRequested(alive, true)).toMatchObject({ poll: false });
  });
});

describe('a dead letter', () => {
  const notice = (topic: string, differing: Partial<DeadLetterNotice> = {}): DeadLetterNotice => ({
    id: 'some message',
    topic,
    group: 'default',
    key: 'some key',
    routingKey: null,
    cause: 'attempts-exhausted',
    reason: 'the runner is unavailable',
    attempt: 10,
    postpones: 0,
    redeliveries: 0,
    firstFailedAt: 1,
    lastFailedAt: 2,
    origin: 'test',
    ...differing,
  });
  const polled = (n: number) => notice('build.signal', { id: pollName(requestId(1), n) });

  test.for([
    ['of a request that no build was recorded for', null, notice('jobs'), 'drop'],
    ['of a request', requestedBuild(), notice('jobs'), 'fail-build'],
    ['of a trigger', requestedBuild(), notice('build.requested'), 'fail-build'],
    ['of a signal, while the record is rolled back to its request', requestedBuild(), notice('build.signal'), 'drop'],
    ['of a repeated request', alive, notice('jobs'), 'drop'],
    ['of a trigger that is stored', alive, notice('build.requested'), 'resend'],
    ['of the poll that is due', alive, polled(5), 'fail-build'],
    ['of a poll whose successor may be missing', alive, polled(4), 'resend'],
    ['of a poll from before a rollback', alive, polled(12), 'fail-build'],
    ['of a poll long past', alive, polled(3), 'drop'],
    ['of a push', alive, notice('build.signal'), 'drop'],
    ['of the deadline', alive, notice('build.signal', { id: deadlineName(requestId(1)) }), 'time-out'],
    ['of the end, which would be announced for ever', ended, notice('build.finished'), 'mark-announced'],
    ['of an end that was announced', told, notice('build.finished'), 'drop'],
    ['of an end whose record was rolled back', alive, notice('build.finished'), 'drop'],
    ["of somebody else's group", requestedBuild(), notice('build.finished', { group: 'stats' }), 'drop'],
  ] as const)('%s', ([, build, letter, first]) => {
    expect(decideDeadLetter(build, letter, false).do).toBe(first);
    expect(decideDeadLetter(build, letter, true).do).toBe(first);
  });

  test('of a build that ended announces the end if that may be what got lost', () => {
    expect(decideDeadLetter(ended, polled(5), false).do).toBe('drop');
    expect(decideDeadLetter(ended, polled(5), true).do).toBe('announce');
    expect(decideDeadLetter(told, polled(5), true).do).toBe('drop');
  });

  test('names its topic, its cause and its reason', () => {
    expect(decideDeadLetter(alive, polled(5), false)).toMatchObject({
      reason: 'dead letter of "build.signal" (attempts-exhausted): the runner is unavailable',
    });
  });
});

describe('the sweep', () => {
  const graceMs = 10_000;
  const at = (build: Build, sinceMs: number) => decideSweep(build, startedAt + sinceMs, graceMs);

  test('asks again for a trigger that is overdue by the grace', () => {
    expect(at(requestedBuild(), graceMs)).toBeNull();
    expect(at(requestedBuild(), graceMs + 1)).toBe('requested');
  });

  test('sends a poll again that is overdue by the grace', () => {
    expect(at(buildAt('accepted'), 5_000 + graceMs)).toBeNull();
    expect(at(buildAt('accepted'), 5_000 + graceMs + 1)).toBe('poll');
  });

  test('sends a deadline again that passed by the grace', () => {
    const polled = buildAt('accepted', { nextPollAt: startedAt + 60_000 });

    expect(at(polled, 60_000 + graceMs)).toBeNull();
    expect(at(polled, 60_000 + graceMs + 1)).toBe('deadline');
  });

  test('announces an end again that nobody noted within the grace, and an announced one never', () => {
    const late = timedOut(buildAt('running'), startedAt);

    expect(at(late, graceMs)).toBeNull();
    expect(at(late, graceMs + 1)).toBe('finished');
    expect(at({ ...late, announced: true }, 1_000_000)).toBeNull();
  });

  test('waits a grace between two reminders of one build', () => {
    const reminded = { ...requestedBuild(), remindedAt: startedAt + 50_000 };

    expect(at(reminded, 50_000 + graceMs)).toBeNull();
    expect(at(reminded, 50_000 + graceMs + 1)).toBe('requested');
  });
});

test('the names of signals are read back', () => {
  expect(signalOfName('r-1', pollName('r-1', 17))).toEqual({ kind: 'poll', poll: 17 });
  expect(signalOfName('r-1', deadlineName('r-1'))).toEqual({ kind: 'deadline' });
  for (const name of ['', 'r-1', 'r-1/poll/', 'r-1/poll/0', 'r-1/poll/1e3', 'r-2/poll/1', 'a webhook']) {
    expect(signalOfName('r-1', name)).toEqual({ kind: 'push' });
  }
});
