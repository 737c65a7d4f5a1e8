import { defineTopic, openQueue, type Queue, VirtualClock } from 'signalbox';
import {
  type BuildRunner,
  buildId,
  noopRunner,
  type ScriptedRunnerOptions,
  scriptedRunner,
} from 'signalbox/buildrunner';
import { memory, memoryStore } from 'signalbox/memory';
import {
  type Build,
  createOrchestrator,
  type JobRequestInput,
  memoryBuildStore,
  type OrchestratorOptions,
  orchestratorTopics,
} from 'signalbox/orchestrator';
import { afterEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { created, deadLettered, reminded, triggered } from '../../src/orchestrator/transitions.js';
import { job, jobRequest, requestId } from './requests.js';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

/** An orchestrator on a memory queue and a virtual clock, not started yet. */
async function bench(
  options: { readonly runner?: BuildRunner | Omit<ScriptedRunnerOptions, 'clock' | 'seed'> } & Partial<
    Omit<OrchestratorOptions, 'runner'>
  > = {},
) {
  const clock = new VirtualClock();
  const topics = orchestratorTopics({ finishedGroups: ['stats'] });
  const kept = memoryStore({ clock });
  const queue = await openQueue(memory({ store: kept }), { topics: Object.values(topics), random: () => 0.5 });
  const store = memoryBuildStore();
  const {
    runner: asked = { rules: [{ when: {}, outcome: { acceptedMs: 1_000, runningMs: 5_000, end: 'succeeded' } }] },
    ...rest
  } = options;
  const scripted = 'trigger' in asked ? null : scriptedRunner({ clock, seed: 1, ...asked });
  const runner = scripted ?? (asked as BuildRunner);
  const changes: Build[] = [];
  const orchestrator = createOrchestrator({
    queue,
    topics,
    runner,
    store,
    clock,
    random: () => 0.5,
    onChange: (build) => changes.push(build),
    ...rest,
  });
  closing.push(async () => {
    await orchestrator.close();
    await queue.close();
    await store.close();
    expect(clock.pending).toBe(0);
  });
  const publish = (n: number, differing: Partial<JobRequestInput> = {}) =>
    queue.publish(topics.jobs, job(n, differing), { key: requestId(n) });
  return { clock, kept, topics, queue, store, scripted, orchestrator, changes, publish };
}

async function deadOf(queue: Queue, topic: string): Promise<readonly string[]> {
  const { letters } = await queue.admin.deadLetters(topic, 'default').list({ limit: 100 });
  return letters.map(({ death }) => `${death?.cause}: ${death?.reason}`);
}

describe('a build', () => {
  test('goes from its request to its end by itself, polled after 5 s and then every 2 s', async () => {
    const { clock, orchestrator, publish, store, scripted, changes } = await bench();
    await orchestrator.start();
    await publish(1);

    await clock.advance(20_000);

    expect(await store.load(requestId(1))).toMatchObject({
      status: 'succeeded',
      polls: 2,
      announced: true,
      reason: null,
    });
    const asked = scripted?.log.calls.filter(({ operation }) => operation === 'status').map(({ at }) => at) ?? [];
    expect(asked.map((at) => at - (asked[0] ?? 0))).toEqual([0, 2_000]);
    expect(changes.map(({ status }) => status)).toEqual(['requested', 'accepted', 'running', 'succeeded', 'succeeded']);
    expect(changes.map(({ version }) => version)).toEqual([1, 2, 3, 4, 5]);
  });

  test('ends with the noop runner at its first poll', async () => {
    const { clock, orchestrator, publish, store } = await bench({ runner: noopRunner() });
    await orchestrator.start();
    await publish(1);

    await clock.advance(5_100);

    expect(await store.load(requestId(1))).toMatchObject({ status: 'succeeded', polls: 1, announced: true });
  });

  test('is one build, however often its request comes', async () => {
    const { clock, orchestrator, publish, scripted, store } = await bench();
    await orchestrator.start();
    await Promise.all([publish(1), publish(1), publish(1)]);
    await clock.advance(3_000);
    await publish(1, { commit_sha: 'f'.repeat(40) });

    await clock.advance(60_000);
    await publish(1);
    await clock.advance(60_000);

    expect(scripted?.log.builds).toHaveLength(1);
    expect(await store.load(requestId(1))).toMatchObject({ status: 'succeeded', polls: 2, announced: true });
  });

  test('tells its end to every group, with what people want to know', async () => {
    const { clock, orchestrator, publish, queue, topics } = await bench();
    const ends: unknown[] = [];
    await queue.consume(topics.finished, ({ message }) => ends.push(message.body), { group: 'stats' });
    await orchestrator.start();
    await publish(1);

    await clock.advance(20_000);

    expect(ends).toEqual([
      expect.objectContaining({
        id: expect.stringMatching(/^scripted-/),
        request_id: requestId(1),
        status: 'succeeded',
        reason: null,
        repo_url: job(1).repo_url,
        polls: 2,
        metadata: expect.objectContaining({ duration: '6.0 s' }),
        finished_at: '2026-01-01T00:00:07.000Z',
      }),
    ]);
  });

  test('is triggered with what its request says', async () => {
    const { clock, orchestrator, publish, scripted } = await bench();
    await orchestrator.start();
    await publish(1, { runs_on: 'linux-aarch64', workflow_path: '.forgejo/workflows/ci.yaml', workflow_job_id: 17 });
    await clock.advance(100);

    expect(scripted?.log.builds[0]?.request).toEqual({
      queueName: 'linux-aarch64',
      base: [],
      head: [{ repoUrl: job(1).repo_url, commitSha: job(1).commit_sha }],
      metadata: {
        source: 'manual',
        workflow_path: '.forgejo/workflows/ci.yaml',
        workflow_job_id: '17',
        runs_on: 'linux-aarch64',
        submitted_at: '2026-01-01T00:00:00Z',
      },
      idempotencyKey: requestId(1),
    });
  });

  test('whose status fails is asked again by the same message, so that attempt counts failures alone', async () => {
    const unreachable = [{ operations: ['status'], firstCalls: 3 }] as const;
    const { clock, orchestrator, publish, queue, store } = await bench({
      runner: { faults: { unreachable }, default: { acceptedMs: 0, runningMs: 15_000, failedShare: 0 } },
    });
    const attempts: string[] = [];
    queue.events.on('delivered', ({ topic, id, attempt }) => {
      if (topic === 'build.signal') attempts.push(`${id.split('/').slice(1).join(' ')}: ${attempt}`);
    });
    await orchestrator.start();
    await publish(1);

    await clock.advance(60_000);

    expect(attempts.slice(0, 6)).toEqual([
      'poll 1: 1',
      'poll 1: 2',
      'poll 1: 3',
      'poll 1: 4',
      'poll 2: 1',
      'poll 3: 1',
    ]);
    expect(await store.load(requestId(1))).toMatchObject({ status: 'succeeded', announced: true });
  });

  test('that the runner does not know is failed', async () => {
    const { clock, orchestrator, publish, store } = await bench({
      runner: { faults: { forgetful: { afterMs: 1_000 } } },
    });
    await orchestrator.start();
    await publish(1);
    await clock.advance(10_000);

    expect(await store.load(requestId(1))).toMatchObject({
      status: 'failed',
      reason: 'unknown to the runner',
      announced: true,
    });
  });

  test('past its deadline is cancelled and failed', async () => {
    const rules = [{ when: {}, outcome: { end: 'never' } }] as const;
    const { clock, orchestrator, publish, store, scripted } = await bench({
      runner: { rules },
      buildDeadlineMs: 30_000,
    });
    await orchestrator.start();
    await publish(1);
    await clock.advance(31_000);

    expect(await store.load(requestId(1))).toMatchObject({ status: 'failed', reason: 'timed out', announced: true });
    expect([...(scripted?.log.cancels.values() ?? [])]).toEqual([1]);
  });

  test('whose runner never answers is failed by its dead letter, with the reason', async () => {
    const runner: BuildRunner = { ...noopRunner(), status: () => new Promise(() => {}) };
    const { clock, orchestrator, publish, queue, store } = await bench({ runner, stepTimeoutMs: 10_000 });
    await orchestrator.start();
    await publish(1);
    await clock.advance(1_200_000);

    expect(await store.load(requestId(1))).toMatchObject({
      status: 'failed',
      reason: expect.stringMatching(/^dead letter of "build\.signal" \(attempts-exhausted\): .*10000 ms/),
      announced: true,
    });
    expect(await deadOf(queue, 'build.signal')).toHaveLength(1);
  });
});

describe('while somebody else changes the record', () => {
  test('a build that was started for a record which meanwhile ended is cancelled at the runner', async () => {
    const clock = new VirtualClock();
    const inner = scriptedRunner({ clock, seed: 1, rules: [{ when: {}, outcome: { end: 'never' } }] });
    const store = memoryBuildStore();
    const runner: BuildRunner = {
      ...inner,
      trigger: async (request) => {
        const build = (await store.load(request.idempotencyKey)) as Build;
        await store.compareAndSet(deadLettered(build, 'given up elsewhere', clock.now()));
        return inner.trigger(request);
      },
    };
    const made = await bench({ runner, store });
    await made.orchestrator.start();
    await made.publish(1);
    await made.clock.advance(100);

    expect([...inner.log.cancels.keys()]).toEqual(inner.log.builds.map(({ id }) => id));
    expect(await store.load(requestId(1))).toMatchObject({
      status: 'failed',
      reason: 'given up elsewhere',
      buildId: null,
    });
  });

  test('the runner is asked once by a delivery, however often its record changes', async () => {
    const right = memoryBuildStore();
    let losses = 0;
    const store = {
      ...right,
      compareAndSet: async (build: Build) => {
        if (build.polls === 1 && losses < 5) {
          losses += 1;
          await right.compareAndSet(reminded((await right.load(build.requestId)) as Build, losses));
        }
        return right.compareAndSet(build);
      },
    };
    const { clock, orchestrator, publish, scripted } = await bench({ store });
    await orchestrator.start();
    await publish(1);
    await clock.advance(5_100);

    expect(losses).toBe(5);
    expect(scripted?.log.calls.map(({ operation }) => operation)).toEqual(['trigger', 'status']);
    expect(await right.load(requestId(1))).toMatchObject({ status: 'running', polls: 1, nextPoll: 2, remindedAt: 5 });
  });

  test('a store that never stores is a failure that says so, and the message is retried', async () => {
    const right = memoryBuildStore();
    let broken = true;
    const store = { ...right, compareAndSet: async (build: Build) => !broken && right.compareAndSet(build) };
    const { clock, orchestrator, publish, queue, scripted } = await bench({ store });
    const failures: string[] = [];
    queue.events.on('handler-failed', ({ error }) => failures.push(String(error)));
    await orchestrator.start();
    await publish(1);
    await clock.advance(100);
    broken = false;
    await clock.advance(60_000);

    expect(failures).toEqual([expect.stringContaining('its record changed under each of 50 attempts')]);
    expect(scripted?.log.builds).toHaveLength(1);
    expect(await right.load(requestId(1))).toMatchObject({ status: 'succeeded', announced: true });
  });
});

describe('the chain', () => {
  const endless = { rules: [{ when: {}, outcome: { acceptedMs: 500, end: 'never' } }] } as const;

  test('goes on in its rhythm after a consumer died between store and ack', async () => {
    const clock = new VirtualClock();
    const driver = memory({ clock });
    const topics = orchestratorTopics();
    const queue = await openQueue(driver, { topics: Object.values(topics) });
    const runner = scriptedRunner({ clock, seed: 1, ...endless });
    const right = memoryBuildStore();
    let cuts = 0;
    const store = {
      ...right,
      compareAndSet: async (build: Build) => {
        const won = await right.compareAndSet(build);
        // What is held goes back unanswered, as after a crash; the record says that the poll was taken.
        if (build.nextPoll === 3 && cuts++ === 0) driver.cut();
        return won;
      },
    };
    const orchestrator = createOrchestrator({ queue, topics, runner, store, clock, random: () => 0.5 });
    closing.push(
      () => queue.close(),
      () => orchestrator.close(),
    );
    await orchestrator.start();
    await queue.publish(topics.jobs, job(1));

    await clock.advance(20_500);

    expect(cuts).toBe(1);
    const asked = runner.log.calls.filter(({ operation }) => operation === 'status').map(({ at }) => at);
    expect(asked.map((at) => at - (asked[0] ?? 0))).toEqual([0, 2_000, 4_000, 6_000, 8_000, 10_000, 12_000, 14_000]);
    expect((await queue.admin.depth(topics.signal, 'default')).delayed).toBe(2);
  });

  test('goes on, as one, when the store was rolled back by some polls', async () => {
    const { clock, orchestrator, publish, queue, store, topics } = await bench({ runner: endless });
    await orchestrator.start();
    await publish(1);
    await clock.advance(8_000);
    const old = (await store.load(requestId(1))) as Build;
    await clock.advance(20_000);
    const young = (await store.load(requestId(1))) as Build;
    await store.compareAndSet({ ...old, version: young.version });

    await clock.advance(10_000);

    expect(young.nextPoll).toBeGreaterThan(old.nextPoll + 5);
    expect((await store.load(requestId(1)))?.nextPoll).toBe(young.nextPoll + 5);
    expect((await queue.admin.depth(topics.signal, 'default')).delayed).toBe(2);
  });

  test('begins anew when the store was rolled back to before the trigger, and the runner has one build', async () => {
    const { clock, orchestrator, publish, queue, scripted, store, topics } = await bench({ runner: endless });
    await orchestrator.start();
    await publish(1);
    await clock.advance(8_000);
    const { version } = (await store.load(requestId(1))) as Build;
    await store.compareAndSet({ ...created(jobRequest(1), clock.now()), version });

    await clock.advance(900_000);

    expect(scripted?.log.builds).toHaveLength(1);
    expect((await store.load(requestId(1)))?.status).toBe('running');
    const { delayed, ready, inHand } = await queue.admin.depth(topics.signal, 'default');
    // One poll and the deadline; the deadline of the first trigger is still on its way as well.
    expect([delayed, ready, inHand]).toEqual([3, 0, 0]);
  });
});

describe('a push', () => {
  test('looks at once, and starts no second chain', async () => {
    const { clock, orchestrator, publish, queue, store, topics, scripted } = await bench({
      runner: { rules: [{ when: {}, outcome: { acceptedMs: 100, runningMs: 60_000, end: 'succeeded' } }] },
    });
    await orchestrator.start();
    await publish(1);
    await clock.advance(1_000);
    const before = await store.load(requestId(1));

    for (let n = 0; n < 5; n++) await queue.publish(topics.signal, { id: before?.buildId?.id ?? '' });
    await clock.advance(0);

    expect(await store.load(requestId(1))).toMatchObject({
      status: 'running',
      nextPoll: 1,
      nextPollAt: before?.nextPollAt,
    });
    const pushed = scripted?.log.calls.length ?? 0;
    await clock.advance(20_000);
    // 5 s after the trigger, then every 2 s: 8 polls by second 21, as without any push.
    expect((scripted?.log.calls.length ?? 0) - pushed).toBe(9);
    expect((await queue.admin.depth(topics.signal, 'default')).delayed).toBe(2);
  });

  test('that finds the end announces it, and the poll that comes later changes nothing', async () => {
    const { clock, orchestrator, publish, queue, store, topics, scripted } = await bench({
      runner: { rules: [{ when: {}, outcome: { end: 'succeeded' } }] },
    });
    await orchestrator.start();
    await publish(1);
    await clock.advance(100);
    await queue.publish(topics.signal, { id: (await store.load(requestId(1)))?.buildId?.id ?? '' });
    await clock.advance(100);

    expect(await store.load(requestId(1))).toMatchObject({ status: 'succeeded', polls: 1, announced: true });
    await clock.advance(60_000);
    expect(scripted?.log.calls.filter(({ operation }) => operation === 'status')).toHaveLength(1);
  });

  test('about a build that nobody knows ends as a dead letter and changes no build', async () => {
    const { clock, orchestrator, queue, topics } = await bench();
    await orchestrator.start();
    await queue.publish(topics.signal, { id: 'somebody-elses' });
    await clock.advance(600_000);

    expect(await deadOf(queue, 'build.signal')).toEqual([
      expect.stringContaining('no build is recorded under this id'),
    ]);
  });
});

describe('cancelling', () => {
  const endless = { runner: { rules: [{ when: {}, outcome: { acceptedMs: 500, end: 'never' } }] } } as const;

  test('is carried out at once, by request id or build id', async () => {
    const { clock, orchestrator, publish, store } = await bench(endless);
    await orchestrator.start();
    await publish(1);
    await publish(2);
    await clock.advance(1_000);
    const id = (await store.load(requestId(2)))?.buildId?.id ?? '';

    expect(await orchestrator.cancel(requestId(1), 'superseded')).toMatchObject({ cancelReason: 'superseded' });
    expect(await orchestrator.cancel(id)).toMatchObject({ requestId: requestId(2), cancelReason: null });
    await clock.advance(10_000);

    expect(await store.load(requestId(1))).toMatchObject({
      status: 'cancelled',
      reason: 'superseded',
      announced: true,
    });
    expect(await store.load(requestId(2))).toMatchObject({ status: 'cancelled', reason: 'cancel requested' });
  });

  test('before the build is triggered is carried out by its first poll, which does not wait', async () => {
    const { clock, orchestrator, queue, store, topics } = await bench(endless);
    await store.createIfAbsent(created(jobRequest(1), clock.now()));
    await orchestrator.cancel(requestId(1), 'too late anyway');
    await orchestrator.start();
    await queue.publish(topics.requested, { request_id: requestId(1) });
    await clock.advance(10);

    expect(await store.load(requestId(1))).toMatchObject({ cancelSentAt: clock.now() - 10, polls: 1 });
    await clock.advance(10_000);
    expect(await store.load(requestId(1))).toMatchObject({ status: 'cancelled', reason: 'too late anyway' });
  });

  test('what has ended answers it as it is', async () => {
    const { clock, orchestrator, publish, store } = await bench();
    await orchestrator.start();
    await publish(1);
    await clock.advance(30_000);

    expect(await orchestrator.cancel(requestId(1))).toEqual(await store.load(requestId(1)));
  });

  test('what nobody knows is not-found', async () => {
    const { orchestrator } = await bench();

    for (const id of [requestId(1), 'b-17', '']) {
      await expect(orchestrator.cancel(id)).rejects.toMatchObject({
        code: 'not-found',
        message: expect.stringContaining(`"${id}"`),
      });
    }
  });
});

describe('wrong arguments are errors that say what to do', () => {
  test.for([undefined, null, 5, {}])('cancel(%o)', async (id) => {
    const { orchestrator } = await bench();

    await expect(orchestrator.cancel(id as never)).rejects.toMatchObject({
      name: 'QueueError',
      code: 'invalid',
      message: expect.stringMatching(/^cannot cancel a build: the id is .*; give a request id or build id$/),
    });
  });

  test.for([5, {}, true])('cancel(id, %o)', async (reason) => {
    const { orchestrator, store } = await bench();
    await store.createIfAbsent(created(jobRequest(1), 0));

    await expect(orchestrator.cancel(requestId(1), reason as never)).rejects.toMatchObject({
      name: 'QueueError',
      code: 'invalid',
      message: expect.stringMatching(/^cannot cancel build ".*": the reason is .*; give a text or leave it out$/),
    });
    expect(await store.load(requestId(1))).toMatchObject({ cancelRequestedAt: null });
  });

  test.for([[null], [5], ['now'], [[]], [{ foo: 1 }], [{ deadlineMs: '5' }], [{ deadlineMs: null }]])(
    'close(%j)',
    async ([options]) => {
      const { orchestrator } = await bench();

      await expect(orchestrator.close(options as never)).rejects.toMatchObject({
        name: 'QueueError',
        code: 'invalid',
        message: expect.stringMatching(/^cannot close the orchestrator: .*deadlineMs/),
      });
      await expect(orchestrator.start()).resolves.toBeUndefined();
    },
  );

  test('sweep after close is closed', async () => {
    const { orchestrator } = await bench();
    await orchestrator.close();

    await expect(orchestrator.sweep()).rejects.toMatchObject({
      code: 'closed',
      message: expect.stringContaining('create a new one'),
    });
  });
});

describe('dead letters', () => {
  test('of malformed requests keep the issues and end no build', async () => {
    const { clock, kept, orchestrator, queue, store, publish } = await bench();
    const anything = defineTopic('jobs', { schema: z.unknown() });
    const foreign = await openQueue(memory({ store: kept }), { topics: [anything], setup: 'none' });
    closing.push(() => foreign.close());
    await orchestrator.start();
    await foreign.publish(anything, { ...job(2), source: 'gitlab' });
    await foreign.publish(anything, { ...job(1), schema_version: 'jobrequest.v2' }, { key: requestId(1) });
    await publish(1);
    await clock.advance(30_000);

    expect((await store.list({ limit: 10, cursor: null })).builds.map(({ status }) => status)).toEqual(['succeeded']);
    expect(await deadOf(queue, 'jobs')).toEqual([
      expect.stringMatching(/^undecodable: .*must be "github", "forgejo" or "manual"/),
      expect.stringMatching(/^undecodable: .*this release reads "jobrequest\.v1" alone/),
    ]);
  });

  test('of a trigger fail the build, which every group learns', async () => {
    const { clock, orchestrator, publish, queue, store, topics } = await bench({
      runner: { faults: { unreachable: [{ operations: ['trigger'], probability: 1 }] } },
    });
    const ends: (string | null)[] = [];
    await queue.consume(topics.finished, ({ message }) => ends.push(message.body.id, message.body.status), {
      group: 'stats',
    });
    await orchestrator.start();
    await publish(1);
    await clock.advance(600_000);

    expect(await store.load(requestId(1))).toMatchObject({
      status: 'failed',
      buildId: null,
      reason: expect.stringMatching(/^dead letter of "build\.requested" \(attempts-exhausted\): cannot trigger/),
      announced: true,
    });
    expect(ends).toEqual([null, 'failed']);
  });

  test('of the end itself mark it as announced, so that it is not sent for ever', async () => {
    const right = memoryBuildStore();
    let refuse = true;
    const store = {
      ...right,
      compareAndSet: async (build: Build) => {
        if (refuse && build.announced) throw new Error('the store is read-only');
        return right.compareAndSet(build);
      },
    };
    const { clock, orchestrator, publish, queue } = await bench({ store, sweepGraceMs: 3_600_000 });
    await orchestrator.start();
    await publish(1);
    await clock.advance(600_000);
    expect(await deadOf(queue, 'build.finished')).toEqual([expect.stringContaining('read-only')]);
    refuse = false;

    await clock.advance(120_000);

    expect(await right.load(requestId(1))).toMatchObject({ status: 'succeeded', announced: true });
  });
});

describe('starting and stopping', () => {
  test('starting twice is one start, and closing twice one closing', async () => {
    const { clock, orchestrator, publish, queue, scripted } = await bench();
    await Promise.all([orchestrator.start(), orchestrator.start()]);
    expect(queue.health().consumers).toHaveLength(5);
    await publish(1);
    await clock.advance(100);
    expect(scripted?.log.triggers.size).toBe(1);

    await Promise.all([orchestrator.close(), orchestrator.close({ deadlineMs: 0 })]);
    await orchestrator[Symbol.asyncDispose]();

    expect(queue.health().consumers).toEqual([]);
    await expect(orchestrator.start()).rejects.toMatchObject({ code: 'closed' });
  });

  test('a start that the store refuses leaves nothing behind', async () => {
    const store = memoryBuildStore();
    await store.close();
    const { orchestrator, queue } = await bench({ store });

    await expect(orchestrator.start()).rejects.toMatchObject({ code: 'closed' });

    expect(queue.health().consumers).toEqual([]);
  });

  test('closing before and during the start serves nothing', async () => {
    const { orchestrator, queue } = await bench();
    const starting = orchestrator.start().catch(() => {});
    await orchestrator.close();
    await starting;

    expect(queue.health().consumers).toEqual([]);
  });

  test('a wrong deadline of close is an error that says so', async () => {
    const { orchestrator } = await bench();

    for (const deadlineMs of [Number.NaN, -1]) {
      await expect(orchestrator.close({ deadlineMs })).rejects.toMatchObject({ code: 'invalid' });
    }
  });

  test('a listener that throws disturbs no build', async () => {
    const warned: string[] = [];
    const { clock, orchestrator, publish, store } = await bench({
      logger: { info() {}, warn: (_fields, message) => warned.push(message) },
      onChange: () => {
        throw new Error('a progress bar broke');
      },
    });
    await orchestrator.start();
    await publish(1);
    await clock.advance(30_000);

    expect(await store.load(requestId(1))).toMatchObject({ status: 'succeeded', announced: true });
    expect(warned).toContain('onChange threw');
  });

  test('a sweep that fails is tried again a minute later', async () => {
    const right = memoryBuildStore();
    let lists = 0;
    const store = {
      ...right,
      list: async (query: Parameters<typeof right.list>[0]) => {
        lists += 1;
        if (lists === 2) throw new Error('the store is away');
        return right.list(query);
      },
    };
    const { clock, orchestrator } = await bench({ store });
    await orchestrator.start();

    await clock.advance(60_000);
    expect(lists).toBe(2);
    await clock.advance(60_000);
    expect(lists).toBe(3);
  });

  test('a sweep tells what it found and sent', async () => {
    const { clock, orchestrator, store } = await bench({ sweepGraceMs: 1_000 });
    for (let n = 0; n < 3; n++) await store.createIfAbsent(created(jobRequest(n), clock.now()));
    expect(await orchestrator.sweep()).toEqual({ looked: 3, requested: 0, poll: 0, deadline: 0, finished: 0 });
    await clock.advance(1_001);

    expect(await orchestrator.sweep()).toEqual({ looked: 3, requested: 3, poll: 0, deadline: 0, finished: 0 });
    expect(await orchestrator.sweep()).toEqual({ looked: 3, requested: 0, poll: 0, deadline: 0, finished: 0 });
  });
});

describe('one bad record', () => {
  /** Older than every grace, ended and never told, with an end that no message can carry. */
  function untellable(n: number): Build {
    return { ...deadLettered(created(jobRequest(n), 0), 'given up', 0), finishedAt: -9e15 };
  }

  test('is logged and skipped by the sweep, and the others get their messages', async () => {
    const store = memoryBuildStore();
    await store.createIfAbsent(created(jobRequest(1), 0));
    await store.createIfAbsent(untellable(2));
    await store.createIfAbsent(created(jobRequest(3), 1));
    const warned: unknown[] = [];
    const { clock, orchestrator } = await bench({
      store,
      logger: { info() {}, warn: (fields, message) => warned.push([fields.requestId, message]) },
    });

    await orchestrator.start();
    await clock.advance(30_000);

    expect(warned).toContainEqual([requestId(2), expect.stringContaining('could not be sent')]);
    for (const n of [1, 3]) expect(await store.load(requestId(n))).toMatchObject({ status: 'succeeded' });
    await expect(orchestrator.sweep()).resolves.toMatchObject({ looked: 1 });
  });

  test('whose end nobody can be told, whatever is tried, ends all the same and holds up no other build', async () => {
    const store = memoryBuildStore();
    const facts = { buildId: buildId('b-1'), firstPollMs: 0, deadlineMs: 9e15, now: 0 };
    await store.createIfAbsent({ ...triggered(created(jobRequest(1), 0), facts), triggeredAt: 9e15 });
    const { clock, orchestrator, publish } = await bench({ store, runner: noopRunner(), concurrency: 1 });

    await orchestrator.start();
    await clock.advance(3_600_000);
    for (const n of [2, 3]) await publish(n);
    await clock.advance(10_000);

    expect(await store.load(requestId(1))).toMatchObject({ status: 'succeeded', announced: false });
    for (const n of [2, 3])
      expect(await store.load(requestId(n))).toMatchObject({ status: 'succeeded', announced: true });
    await expect(orchestrator.sweep()).resolves.toMatchObject({ looked: 1 });
  });

  test('that the store refuses to write is skipped as well', async () => {
    const right = memoryBuildStore();
    for (const n of [1, 2]) await right.createIfAbsent(created(jobRequest(n), 0));
    const store = {
      ...right,
      compareAndSet: async (build: Build) => {
        if (build.requestId === requestId(1)) throw new Error('the row is too large');
        return right.compareAndSet(build);
      },
    };
    const { clock, orchestrator } = await bench({ store });

    await orchestrator.start();
    await clock.advance(30_000);

    expect(await right.load(requestId(2))).toMatchObject({ status: 'succeeded', announced: true });
  });

  test('a queue that is away ends the sweep: no record is to blame', async () => {
    const { clock, orchestrator, queue, store } = await bench();
    for (const n of [1, 2]) await store.createIfAbsent(created(jobRequest(n), 0));
    await queue.close();

    await expect(orchestrator.sweep()).rejects.toMatchObject({ code: 'closed' });

    expect(await store.load(requestId(2))).toMatchObject({ remindedAt: null });
    expect(clock.pending).toBe(0);
  });

  test('an end whose metadata no message can carry is told without them', async () => {
    const store = memoryBuildStore();
    const ended = deadLettered(created(jobRequest(1), 0), 'given up', 0);
    await store.createIfAbsent({ ...ended, metadata: { url: 'x'.repeat(2_000_000) } });
    const { clock, orchestrator, queue, topics } = await bench({ store });
    const ends: unknown[] = [];
    await queue.consume(topics.finished, ({ message }) => ends.push(message.body), { group: 'stats' });

    await orchestrator.start();
    await clock.advance(1_000);

    expect(ends).toEqual([expect.objectContaining({ status: 'failed', reason: 'given up', metadata: {} })]);
    expect(await store.load(requestId(1))).toMatchObject({ announced: true });
  });

  test('a build that a runner tells megabytes of control characters about ends, and is told', async () => {
    const noise = Object.fromEntries(
      Array.from({ length: 64 }, (_, n) => [`${n}${'\u001b'.repeat(2_000)}`, '\u001b'.repeat(2_048)]),
    );
    const runner: BuildRunner = {
      ...noopRunner(),
      status: async () => ({ status: 'succeeded', metadata: noise }),
    };
    const { clock, orchestrator, publish, store } = await bench({ runner });
    await orchestrator.start();
    await publish(1);

    await clock.advance(10_000);

    expect(await store.load(requestId(1))).toMatchObject({ status: 'succeeded', announced: true });
  });
});

describe('what a runner answers is checked', () => {
  const fine = noopRunner();

  test.for<readonly [unknown, string]>([
    [undefined, 'expected object, received undefined'],
    [null, 'expected object, received null'],
    ['b-17', 'expected object, received string'],
    [{}, 'id: Invalid input: expected string'],
    [{ id: 17 }, 'id: Invalid input: expected string'],
    [{ id: '' }, 'it is empty'],
    [{ id: 'x'.repeat(300) }, 'it has 300 bytes'],
    [{ id: 'b\u001b1' }, 'control characters'],
  ])('a build id %j fails the build in the end, with the reason, and no other build', async ([answer, flaw]) => {
    const runner: BuildRunner = {
      ...fine,
      trigger: async (request) => (request.idempotencyKey === requestId(1) ? (answer as never) : fine.trigger(request)),
    };
    const { clock, orchestrator, publish, store } = await bench({ runner });
    await orchestrator.start();
    await publish(1);
    await publish(2);

    await clock.advance(600_000);

    expect(await store.load(requestId(1))).toMatchObject({
      status: 'failed',
      buildId: null,
      reason: expect.stringMatching(/\(attempts-exhausted\): cannot trigger build .*the runner answered no build id/),
      announced: true,
    });
    expect((await store.load(requestId(1)))?.reason).toContain(flaw);
    expect(await store.load(requestId(2))).toMatchObject({ status: 'succeeded', announced: true });
  });

  test.for<readonly [unknown, string]>([
    [undefined, 'must be { status, metadata }'],
    ['succeeded', 'must be { status, metadata }'],
    [{ status: 'weird', metadata: {} }, 'status: must be one of accepted, running, succeeded, failed, cancelled'],
    [{ status: 'toString', metadata: {} }, 'status: must be one of'],
    [{ status: 'running' }, 'metadata: must be a record of strings'],
    [{ status: 'succeeded', metadata: null }, 'metadata: must be a record of strings'],
    [{ status: 'succeeded', metadata: { duration: 12 } }, 'metadata.duration: must be a string'],
  ])('a report %j fails the build in the end, with the reason', async ([answer, flaw]) => {
    const runner: BuildRunner = { ...fine, status: async () => answer as never };
    const { clock, orchestrator, publish, store } = await bench({ runner });
    await orchestrator.start();
    await publish(1);

    await clock.advance(600_000);

    const build = await store.load(requestId(1));
    expect(build).toMatchObject({
      status: 'failed',
      reason: expect.stringMatching(/\(attempts-exhausted\): cannot ask the status of build .*the runner answered/),
      announced: true,
    });
    expect(build?.reason).toContain(flaw);
  });

  test('one bad answer is asked for again, and the build goes on', async () => {
    let asked = 0;
    const runner: BuildRunner = {
      ...fine,
      status: async (id) => (asked++ === 0 ? ({ status: 'weird' } as never) : fine.status(id)),
    };
    const { clock, orchestrator, publish, store } = await bench({ runner });
    await orchestrator.start();
    await publish(1);

    await clock.advance(30_000);

    expect(await store.load(requestId(1))).toMatchObject({ status: 'succeeded', polls: 1, announced: true });
  });
});
