import { describe, expect, test } from 'vitest';
import {
  BuildUnknownError,
  buildId,
  type Faults,
  RunnerUnavailableError,
  scriptedRunner,
} from '../../src/buildrunner/index.js';
import { VirtualClock } from '../../src/queue/virtual-clock.js';
import { requestOf } from './requests.js';

function runnerWith(faults: Faults) {
  const clock = new VirtualClock();
  const rules = [{ when: {}, outcome: { acceptedMs: 1_000, runningMs: 5_000, end: 'succeeded' } }] as const;
  return { clock, runner: scriptedRunner({ clock, seed: 'faults', rules, faults }) };
}

describe('unreachable', () => {
  test('for the first calls of each operation about each build', async () => {
    const { runner } = runnerWith({ unreachable: [{ operations: ['status'], firstCalls: 2 }] });
    const one = await runner.trigger(requestOf('job-1'));
    const other = await runner.trigger(requestOf('job-2'));

    for (const id of [one, other]) {
      await expect(runner.status(id)).rejects.toThrow(RunnerUnavailableError);
      await expect(runner.status(id)).rejects.toThrow(
        `cannot ask the status of build "${id.id}": the runner is unavailable (scripted: its request was lost); retry later`,
      );
      expect((await runner.status(id)).status).toBe('accepted');
    }
  });

  test('within windows of time that count from when the runner was made', async () => {
    const { clock, runner } = runnerWith({ unreachable: [{ windows: [{ fromMs: 1_000, toMs: 2_000 }] }] });
    const id = await runner.trigger(requestOf('job-1'));

    await clock.advance(1_000);
    await expect(runner.status(id)).rejects.toThrow(RunnerUnavailableError);
    await expect(runner.cancel(id)).rejects.toThrow(RunnerUnavailableError);
    await expect(runner.trigger(requestOf('job-2'))).rejects.toThrow(RunnerUnavailableError);
    await clock.advance(999);
    await expect(runner.status(id)).rejects.toThrow(RunnerUnavailableError);
    await clock.advance(1);
    expect((await runner.status(id)).status).toBe('running');
  });

  test('by a probability', async () => {
    const { runner } = runnerWith({ unreachable: [{ operations: ['status'], probability: 0.3 }] });
    const id = await runner.trigger(requestOf('job-1'));

    const answers = await Promise.allSettled(Array.from({ length: 1_000 }, () => runner.status(id)));

    expect(answers.filter(({ status }) => status === 'rejected').length / 1_000).toBeCloseTo(0.3, 1);
  });

  test('a trigger whose request was lost starts nothing', async () => {
    const { runner } = runnerWith({ unreachable: [{ operations: ['trigger'], firstCalls: 1 }] });

    await expect(runner.trigger(requestOf('job-1'))).rejects.toThrow(/retry with the same idempotency key/);

    expect(runner.log.builds).toHaveLength(0);
    expect(runner.log.triggers.get('job-1')).toBe(1);
  });

  test('a trigger whose answer was lost started the build, which the next one answers', async () => {
    const { runner } = runnerWith({ unreachable: [{ operations: ['trigger'], firstCalls: 1, lost: 'answer' }] });

    await expect(runner.trigger(requestOf('job-1'))).rejects.toThrow(RunnerUnavailableError);
    const id = await runner.trigger(requestOf('job-1'));

    expect(runner.log.builds).toMatchObject([{ id: id.id }]);
    expect(runner.log.calls.map(({ lost }) => lost)).toEqual(['answer', null]);
  });

  test('a cancel whose answer was lost takes effect', async () => {
    const { clock, runner } = runnerWith({ unreachable: [{ operations: ['cancel'], probability: 1, lost: 'answer' }] });
    const id = await runner.trigger(requestOf('job-1'));

    await expect(runner.cancel(id)).rejects.toThrow(RunnerUnavailableError);
    await clock.advance(200);

    expect((await runner.status(id)).status).toBe('cancelled');
  });
});

describe('slow', () => {
  test('answers after the delay, with the status of that time', async () => {
    const { clock, runner } = runnerWith({ slow: { operations: ['status'], delayMs: 3_000 } });
    const id = await runner.trigger(requestOf('job-1'));
    let answer: string | undefined;

    const asked = runner.status(id).then(({ status }) => {
      answer = status;
    });
    await clock.advance(2_999);
    expect(answer).toBeUndefined();
    await clock.advance(1);
    await asked;

    expect(answer).toBe('running');
    expect(clock.pending).toBe(0);
  });

  test('a slow trigger starts the build at once', async () => {
    const { clock, runner } = runnerWith({ slow: { operations: ['trigger'], delayMs: 3_000 } });

    const asked = runner.trigger(requestOf('job-1'));
    await clock.advance(3_000);

    expect((await runner.status(await asked)).status).toBe('running');
  });

  test('whoever aborts does not wait, and leaves no timer behind', async () => {
    const { clock, runner } = runnerWith({ slow: { delayMs: 3_000 } });
    const gaveUp = new Error('gave up');
    const controller = new AbortController();

    const asked = runner.trigger(requestOf('job-1'), { signal: controller.signal });
    controller.abort(gaveUp);

    await expect(asked).rejects.toBe(gaveUp);
    expect(clock.pending).toBe(0);
    expect(runner.log.builds).toHaveLength(1);
  });
});

describe('forgetful', () => {
  test('at once: the build is unknown from the first question on, its key is not', async () => {
    const { runner } = runnerWith({ forgetful: { afterMs: 0 } });
    const id = await runner.trigger(requestOf('job-1'));

    await expect(runner.status(id)).rejects.toThrow(BuildUnknownError);
    await expect(runner.cancel(id)).rejects.toThrow(BuildUnknownError);
    expect(await runner.trigger(requestOf('job-1'))).toEqual(id);
    expect(runner.log.builds).toHaveLength(1);
  });

  test('after a time, counted from the start of the build', async () => {
    const { clock, runner } = runnerWith({ forgetful: { afterMs: 2_000 } });
    await clock.advance(5_000);
    const id = await runner.trigger(requestOf('job-1'));

    await clock.advance(1_999);
    expect((await runner.status(id)).status).toBe('running');
    await clock.advance(1);
    await expect(runner.status(id)).rejects.toThrow(BuildUnknownError);
  });

  test('about a share of the builds', async () => {
    const { runner } = runnerWith({ forgetful: { afterMs: 0, probability: 0.2 } });
    const ids = await Promise.all(Array.from({ length: 1_000 }, (_, n) => runner.trigger(requestOf(`job-${n}`))));

    const answers = await Promise.allSettled(ids.map((id) => runner.status(id)));

    expect(answers.filter(({ status }) => status === 'rejected').length / 1_000).toBeCloseTo(0.2, 1);
  });
});

test('a rule with faults of its own has those and not the faults of the runner', async () => {
  const clock = new VirtualClock();
  const runner = scriptedRunner({
    clock,
    seed: 1,
    faults: { unreachable: [{ probability: 1 }] },
    rules: [{ when: { queueName: 'lucky' }, faults: {} }],
  });

  const id = await runner.trigger(requestOf('job-1', { queueName: 'lucky' }));

  expect((await runner.status(id)).status).toBe('accepted');
  await expect(runner.trigger(requestOf('job-2'))).rejects.toThrow(RunnerUnavailableError);
  await expect(runner.status(buildId('of-nobody'))).rejects.toThrow(RunnerUnavailableError);
});
