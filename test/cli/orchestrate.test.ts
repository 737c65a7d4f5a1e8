import { readFileSync } from 'node:fs';
import type { Driver } from 'signalbox';
import { describe, expect, test } from 'vitest';
import { driverOf } from '../../src/open-queue.js';
import { cli, connectDurable, newUrl, World } from './world.js';

const jobs = ['--jobs', 'examples/jobs.jsonl'];
const ownJobs = ['--queue', 'memory:', ...jobs];
const quick = ['--poll-accepted-ms', '1'];
const request = ['enqueue', '--repo-url', 'https://git.example.org/tern/compass.git', '--commit-sha', 'c1aecb3'];

/** The memory backend, whose settlements are answered once a promise is kept. */
async function connectSettlingAfter(gate: Promise<void>, url: string): Promise<Driver> {
  const driver = await driverOf(url);
  const subscribe = driver.subscribe.bind(driver);
  driver.subscribe = async (options) => {
    const subscription = await subscribe(options);
    const settle = subscription.settle.bind(subscription);
    subscription.settle = (batch) => gate.then(() => settle(batch));
    return subscription;
  };
  return driver;
}

/** The memory backend, which takes ten messages at once, and only when `gate` is kept. */
async function connectSendingAfter(gate: Promise<void>, onSend: () => void, url: string): Promise<Driver> {
  const driver = await connectDurable(url);
  const { capabilities } = driver;
  const send = driver.send.bind(driver);
  driver.send = async (...batch) => {
    onSend();
    await gate;
    return send(...batch);
  };
  return Object.defineProperty(driver, 'capabilities', {
    value: { ...capabilities, limits: { ...capabilities.limits, batch: 10 } },
  });
}

/** Whether nothing is left of that many builds but their deadlines, which wait in `build.signal`. */
async function haveEnded(url: string, builds: number): Promise<boolean> {
  const { world } = await cli(['topics', '--json', '--queue', url]);
  const { topics } = world.json as { topics: { topic: string; ready: number; delayed: number; inHand: number }[] };
  return topics.every(
    ({ topic, ready, delayed, inHand }) => ready + inHand === 0 && delayed === (topic === 'build.signal' ? builds : 0),
  );
}

describe('orchestrate', () => {
  test('serves requests from elsewhere until it is asked to stop, and exits with 0 and nothing in hand', async () => {
    const url = newUrl();
    const world = new World();
    const running = world.run('orchestrate', '--queue', url, '--json', ...quick);
    await world.told('serving job requests');
    for (let n = 0; n < 3; n++) await cli([...request, '--queue', url], { connect: connectDurable });
    while (!(await haveEnded(url, 3))) await new Promise((resolve) => setImmediate(resolve));

    world.signal('SIGTERM');

    expect(await running).toBe(0);
    expect(world.json).toMatchObject({ runner: 'noop', backend: 'memory', inHand: 0, summary: { succeeded: 3 } });
    expect(world.logged.at(-1)).toMatchObject({ msg: 'stopped', inHand: 0 });
    expect(world.logged).toContainEqual(expect.objectContaining({ signal: 'SIGTERM' }));
    expect(world.listening).toBe(0);
    expect(world.forced).toEqual([]);
  });

  test('with --jobs and --until-idle ends by itself when every build has ended', async () => {
    const { code, world } = await cli(['orchestrate', ...ownJobs, '--until-idle', '--json', ...quick]);

    expect(code).toBe(0);
    expect(world.json).toEqual({
      runner: 'noop',
      backend: 'memory',
      builds: expect.arrayContaining([
        {
          requestId: 'c6a93abd-2713-4d12-b76b-f6771968702f',
          buildId: expect.stringMatching(/^noop-/),
          repoUrl: 'https://github.example.com/lanternworks/keel.git',
          commitSha: '8c4e19b3d63cf09b8262542d151a85664e876b00',
          status: 'succeeded',
          reason: null,
          polls: 1,
          seconds: expect.any(Number),
        },
      ]),
      deadLetters: [
        { id: 'jobs.jsonl:13', topic: 'jobs', group: 'default', cause: 'undecodable', reason: expect.any(String) },
        expect.objectContaining({ id: 'jobs.jsonl:31' }),
      ],
      summary: {
        builds: 42,
        succeeded: 42,
        failed: 0,
        cancelled: 0,
        unended: 0,
        deadLetters: 2,
        polls: 42,
        seconds: expect.any(Number),
      },
      inHand: 0,
    });
  });

  test('with --until-idle on an empty queue ends at once', async () => {
    const { code, stdout } = await cli(['orchestrate', '--queue', newUrl(), '--until-idle']);

    expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
  });

  test('a deadline ends a build that takes longer, and poll delays are taken from the flags', async () => {
    const { world } = await cli([
      ...['orchestrate', ...ownJobs, '--until-idle', '--json', '--runner', 'scripted'],
      ...['--deadline-ms', '400', '--poll-accepted-ms', '20', '--poll-running-ms', '20'],
    ]);

    const { builds } = world.json as { builds: { status: string; reason: string; polls: number }[] };
    expect(new Set(builds.map(({ reason }) => reason))).toEqual(new Set(['timed out']));
    expect(Math.max(...builds.map(({ polls }) => polls))).toBeGreaterThan(1);
  });

  test('logs JSON lines to stderr, from the level asked for', async () => {
    const argv = ['orchestrate', ...ownJobs, '--until-idle', ...quick];
    const all = await cli(argv);
    const warnings = await cli([...argv, '--log-level', 'warn']);
    const nothing = await cli([...argv, '--log-level', 'silent']);

    expect(all.world.logged.map(({ msg }) => msg)).toEqual(expect.arrayContaining(['serving job requests', 'stopped']));
    expect(all.stderr.trimEnd().split('\n')).toHaveLength(all.world.logged.length);
    expect(warnings.world.logged.length).toBeGreaterThan(0);
    expect(warnings.world.logged.every(({ level }) => Number(level) >= 40)).toBe(true);
    expect(nothing.stderr).toBe('');
    expect(all.stdout).toBe('');
  });

  test('what is in hand when it is asked to stop may finish first', async () => {
    let letGo = (): void => {};
    const gate = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    const world = new World({ connect: (url) => connectSettlingAfter(gate, url) });
    let ended = false;
    const running = world.run('orchestrate', '--queue', newUrl(), ...jobs, ...quick).finally(() => {
      ended = true;
    });
    await world.told('the job requests of the file are on the queue');
    world.signal('SIGTERM');
    await world.told('asked to stop');
    expect(ended).toBe(false);

    letGo();

    expect(await running).toBe(0);
    expect(world.logged.at(-1)).toMatchObject({ msg: 'stopped', inHand: 0 });
  });

  test('what has not finished within --stop-within-ms is not waited for', async () => {
    const never = new Promise<void>(() => {});
    const world = new World({ connect: (url) => connectSettlingAfter(never, url) });
    const running = world.run('orchestrate', '--queue', newUrl(), ...jobs, '--stop-within-ms', '50');
    await world.told('the job requests of the file are on the queue');

    world.signal('SIGTERM');

    expect(await running).toBe(0);
    expect(world.logged.at(-1)).toMatchObject({ msg: 'stopped' });
  });

  test('a second signal forces the end', async () => {
    const world = new World();
    const running = world.run('orchestrate', '--queue', newUrl());
    await world.told('serving job requests');

    world.signal('SIGINT');
    world.signal('SIGINT');

    expect(world.forced).toEqual([1]);
    expect(world.stderr).toContain('signalbox: SIGINT again: ending at once');
    await running;
  });

  test.each([
    ['is sent to its end', '30000', 44, 0],
    ['is cut off when that takes longer than --stop-within-ms, and says where to go on', '1', 10, 1],
  ])('a file that is being sent when it is asked to stop %s', async (_, stopWithinMs, sent, expected) => {
    let open = (): void => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const url = newUrl();
    let isSending = false;
    const onSend = (): void => {
      isSending = true;
    };
    const world = new World({ connect: (each) => connectSendingAfter(gate, onSend, each) });
    const running = world.run('orchestrate', ...jobs, '--queue', url, '--stop-within-ms', stopWithinMs);
    while (!isSending) await new Promise((resolve) => setImmediate(resolve));

    world.signal('SIGTERM');
    await new Promise((resolve) => setTimeout(resolve, 20));
    open();

    expect(await running).toBe(expected);
    if (expected === 0) expect(world.logged).toContainEqual(expect.objectContaining({ lines: sent }));
    else
      expect(world.stderr).toContain(`${sent} of 44 on the queue after 1 ms; send those from jobs.jsonl:11 on again`);
  });

  test('a signal while it starts ends it as well', async () => {
    const world = new World();
    const running = world.run('orchestrate', '--queue', newUrl());
    while (world.listening === 0) await new Promise((resolve) => setImmediate(resolve));

    world.signal('SIGTERM');

    expect(await running).toBe(0);
  });

  test.each([
    ['a queue that nobody else can reach', ['--queue', 'memory:'], 5, /no request would ever reach it; name another/],
    ['a file that is not there', ['--queue', 'memory:', '--jobs', 'nowhere'], 2, /there is no such file/],
  ])('%s is refused', async (_, flags, expected, message) => {
    const { code, stderr } = await cli(['orchestrate', ...flags]);

    expect(stderr).toMatch(message);
    expect(code).toBe(expected);
  });

  test('QUEUE_URL names the queue also where a file of jobs is given', async () => {
    const { code, stderr } = await cli(['orchestrate', ...jobs], { env: { QUEUE_URL: 'nosuch:queue' } });

    expect(stderr).toMatch(/nothing is known about the scheme "nosuch:"/);
    expect(code).toBe(2);
  });

  test('the example file is the one that the help names', () => {
    expect(readFileSync('examples/jobs.jsonl', 'utf8').trimEnd().split('\n')).toHaveLength(44);
  });
});
