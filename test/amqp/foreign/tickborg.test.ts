import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { defineTopic, openQueue, type Queue } from 'signalbox';
import { type AmqpOptions, amqp } from 'signalbox/amqp';
import { expect, onTestFinished, test, vi } from 'vitest';
import { z } from 'zod';
import { describeServers } from '../../servers/index.js';
import { eventually } from '../connection/eventually.js';
import { jsonOf, plainProgram } from './plain-program.js';

/** As Tickborg has it: a topic exchange for events and logs, fanout ones for jobs and results, one queue that is published to directly. */
const tickborg: NonNullable<AmqpOptions['topics']> = {
  'github-events': {
    exchange: { name: 'github-events', type: 'topic' },
    groups: { evaluation: 'mass-rebuild-check-inputs', comments: 'comment-filter-inputs' },
  },
  'build-jobs': {
    exchange: { name: 'build-jobs', type: 'fanout' },
    groups: { '*': { queue: 'build-inputs-{group}', autoDelete: false } },
  },
  'build-results': {
    exchange: { name: 'build-results', type: 'fanout' },
    groups: { poster: 'build-results-poster', stats: 'build-results-stats' },
  },
  logs: { exchange: { name: 'logs', type: 'topic' }, groups: { collector: 'logs-collector' } },
  rebuilds: { exchange: null, groups: { default: 'mass-rebuild-check-jobs' } },
};

const event = defineTopic('github-events', {
  schema: z.object({ pr: z.number() }),
  groups: { evaluation: { patterns: ['pull_request.*', 'push.*'] }, comments: { patterns: ['issue_comment.*'] } },
  unmatched: 'discard',
});
const job = defineTopic('build-jobs', { schema: z.object({ attr: z.string() }), groups: { 'x86_64-linux': {} } });
const result = defineTopic('build-results', {
  schema: z.object({ attr: z.string(), success: z.boolean() }),
  groups: { poster: {}, stats: {} },
});
const log = defineTopic('logs', {
  schema: z.object({ line: z.string() }),
  groups: { collector: { patterns: ['logs.*'] } },
});
const rebuild = defineTopic('rebuilds', { schema: z.object({ pr: z.number() }) });
const topics = [event, job, result, log, rebuild];

async function opened(url: string, mapping = tickborg): Promise<Queue> {
  const queue = await openQueue(amqp({ url, topics: mapping }), { topics });
  onTestFinished(() => queue.close({ deadlineMs: 0 }));
  return queue;
}

// Topologies of several groups, each durable 1.5 s after it was declared, on a machine that others may share.
vi.setConfig({ testTimeout: 60_000 });

await describeServers(['rabbitmq'], (_, server) => {
  test('it is reached by settings in parts, with a password file, and a vhost and a password of special characters', async ({
    skip,
  }) => {
    const { rabbitmqctl, host, port } = server();
    if (rabbitmqctl === null) return skip('no user can be made on a given server');
    const [user, password, vhost] = [`tick-${randomUUID()}`, 's3cret/w@rd:%', `ofborg/${randomUUID()}`];
    await rabbitmqctl('add_vhost', vhost);
    await rabbitmqctl('add_user', user, password);
    await rabbitmqctl('set_permissions', '-p', vhost, user, '.*', '.*', '.*');
    const folder = mkdtempSync(join(tmpdir(), 'signalbox-password-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const passwordFile = join(folder, 'password');
    const logged: unknown[] = [];
    const logger = {
      info: (...line: unknown[]) => void logged.push(line),
      warn: (...line: unknown[]) => void logged.push(line),
    };
    const open = () =>
      openQueue(amqp({ host, port, vhost, username: user, passwordFile, ssl: false }), { topics: [rebuild], logger });

    await expect(open()).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringContaining(`the password file "${passwordFile}" cannot be read (ENOENT)`),
    });
    writeFileSync(passwordFile, 'not this one');
    await expect(open()).rejects.toMatchObject({ code: 'auth', message: expect.not.stringContaining('not this one') });
    writeFileSync(passwordFile, `  ${password}\n`);
    const queue = await open();
    onTestFinished(() => queue.close({ deadlineMs: 0 }));
    await queue.publish(rebuild, { pr: 1 });

    expect(inspect(logged, { depth: 9 })).not.toMatch(/s3cret|not this one/);
  });

  test('events that its webhook receiver publishes are selected by routing key, and what nobody binds is as nowhere', async () => {
    const url = await server().freshUrl();
    const queue = await opened(url);
    const program = await plainProgram(url);
    const seen: string[] = [];
    for (const group of ['evaluation', 'comments']) {
      await queue.consume(
        event,
        async ({ message }) => void seen.push(`${group} ${message.routingKey} ${message.body.pr}`),
        { group },
      );
    }

    await program.publish('github-events', 'pull_request.opened', { pr: 1 });
    await program.publish('github-events', 'issue_comment.created', { pr: 2 });
    await program.publish('github-events', 'push.main', { pr: 3 });

    await eventually('all of them', () => seen.length === 3);
    expect(seen.sort()).toEqual([
      'comments issue_comment.created 2',
      'evaluation pull_request.opened 1',
      'evaluation push.main 3',
    ]);
    expect(await queue.publish(event, { pr: 4 }, { routingKey: 'star.created' })).toMatchObject({ groups: 0 });
    await expect(program.publish('github-events', 'star.created', { pr: 4 })).rejects.toThrow(/returned/);
  });

  test('a worker tells log lines at once, then acks with its result; foreign programs read both', async () => {
    const url = await server().freshUrl();
    const queue = await opened(url);
    const program = await plainProgram(url);
    // Somebody else's collector, with a queue of its own.
    await program.channel.assertQueue('their-logs', { durable: true });
    await program.channel.bindQueue('their-logs', 'logs', 'logs.#');
    let finish = (): void => {};
    const asked = new Promise<void>((resolve) => {
      finish = resolve;
    });
    await queue.consume(
      job,
      async ({ message, outbox }) => {
        await queue.publish(log, { line: `building ${message.body.attr}` }, { routingKey: 'logs.42' });
        await asked;
        await outbox.publish(result, { attr: message.body.attr, success: true });
      },
      { group: 'x86_64-linux', prefetch: 1, concurrency: 1 },
    );

    await program.publish('build-jobs', '', { attr: 'hello' });

    const line = await program.next('their-logs');
    expect([jsonOf(line), line.fields.routingKey]).toEqual([{ line: 'building hello' }, 'logs.42']);
    expect(await program.ready('build-results-poster')).toBe(0);
    finish();
    expect(jsonOf(await program.next('build-results-poster'))).toEqual({ attr: 'hello', success: true });
    expect(jsonOf(await program.next('build-results-stats'))).toEqual({ attr: 'hello', success: true });
  });

  test('a job that is requeued comes again to its builder alone; one that is dumped is a dead letter', async () => {
    const url = await server().freshUrl();
    const queue = await opened(url);
    const program = await plainProgram(url);
    await queue.admin.addGroup(job, 'aarch64-darwin');
    const attempts: number[] = [];
    await queue.consume(
      job,
      async (delivery) => {
        attempts.push(delivery.attempt);
        if (delivery.attempt === 1) await delivery.nack(0, 'NackRequeue');
        else await delivery.reject('NackDump');
      },
      { group: 'x86_64-linux' },
    );

    await program.publish('build-jobs', '', { attr: 'hello' });

    const letters = queue.admin.deadLetters(job, 'x86_64-linux');
    const letter = await eventually('a letter', async () => (await letters.list()).letters[0]);
    expect(attempts).toEqual([1, 2]);
    expect(letter.death).toMatchObject({ cause: 'rejected', reason: 'NackDump', attempt: 2 });
    // The other builder has its own one and no second.
    expect(await program.ready('build-inputs-aarch64-darwin')).toBe(1);
  });

  test('builders come and go, each with a queue of its own', async () => {
    const url = await server().freshUrl();
    const queue = await opened(url);
    const program = await plainProgram(url);

    await queue.admin.addGroup(job, 'aarch64-linux');
    await program.publish('build-jobs', 'anything', { attr: 'hello' });
    expect(await program.ready('build-inputs-aarch64-linux')).toBe(1);
    expect(await queue.admin.depth(job, 'aarch64-linux')).toMatchObject({ ready: 1, dead: 0 });
    await queue.admin.removeGroup(job, 'aarch64-linux');

    await expect(program.ready('build-inputs-aarch64-linux')).rejects.toThrow(/NOT_FOUND/);
    await expect(queue.admin.addGroup(event, 'unnamed')).rejects.toMatchObject({ code: 'invalid' });
  });

  test('one queue is published to directly, by them and by us, now and later', async () => {
    const url = await server().freshUrl();
    const queue = await opened(url);
    const program = await plainProgram(url);

    await queue.publish(rebuild, { pr: 1 });
    await queue.publishAfter(rebuild, { pr: 2 }, 300);
    expect(jsonOf(await program.next('mass-rebuild-check-jobs'))).toEqual({ pr: 1 });
    expect(jsonOf(await program.next('mass-rebuild-check-jobs'))).toEqual({ pr: 2 });

    const served = new Promise<number>((resolve) => {
      void queue.consume(rebuild, async ({ message }) => resolve(message.body.pr));
    });
    await program.publish('', 'mass-rebuild-check-jobs', { pr: 3 });
    expect(await served).toBe(3);
  });

  test('a passive queue is used as it is, whatever its arguments, and missed by its name', async () => {
    const url = await server().freshUrl();
    const program = await plainProgram(url);
    const passive = {
      ...tickborg,
      rebuilds: { exchange: null, groups: { default: { queue: 'mass-rebuild-check-jobs', passive: true } } },
    };
    await expect(opened(url, passive)).rejects.toMatchObject({
      code: 'not-found',
      message: expect.stringContaining('there is no queue "mass-rebuild-check-jobs", which is mapped as passive'),
    });
    await program.apart((channel) =>
      channel.assertQueue('mass-rebuild-check-jobs', { durable: true, arguments: { 'x-max-priority': 3 } }),
    );

    const queue = await opened(url, passive);
    await queue.publish(rebuild, { pr: 1 });

    expect(jsonOf(await program.next('mass-rebuild-check-jobs'))).toEqual({ pr: 1 });
  });

  test('a queue that exists with other arguments is a mismatch that names them, and stays as it is', async () => {
    const url = await server().freshUrl();
    const program = await plainProgram(url);
    await program.apart((channel) =>
      channel.assertQueue('mass-rebuild-check-jobs', { durable: true, arguments: { 'x-max-priority': 3 } }),
    );

    await expect(opened(url)).rejects.toMatchObject({
      code: 'topology-mismatch',
      message: expect.stringMatching(
        /queue "mass-rebuild-check-jobs" exists with x-max-priority .*3.*, asked for none/,
      ),
    });

    // What was refused does not stand in the way of a mapping that is right.
    const passive = { exchange: null, groups: { default: { queue: 'mass-rebuild-check-jobs', passive: true } } };
    const queue = await opened(url, { ...tickborg, rebuilds: passive });
    await queue.publish(rebuild, { pr: 1 });
    expect(jsonOf(await program.next('mass-rebuild-check-jobs'))).toEqual({ pr: 1 });
  });

  test('a check notices what exists with other arguments, names them, and changes nothing', async () => {
    const url = await server().freshUrl();
    const queue = await opened(url);
    const program = await plainProgram(url);
    expect(await queue.setup({ mode: 'check' })).toEqual({ created: [], changed: [] });
    await program.channel.deleteQueue('logs-collector');
    await program.channel.assertQueue('logs-collector', { durable: true, maxLength: 5 });
    await program.publish('', 'logs-collector', { line: 'theirs' });

    await expect(queue.setup({ mode: 'check' })).rejects.toMatchObject({
      code: 'topology-mismatch',
      message: expect.stringMatching(/queue "logs-collector" exists with x-max-length .*5.*, asked for none/),
    });

    expect(await program.ready('logs-collector')).toBe(1);
    await program.channel.deleteQueue('logs-collector');
    await expect(queue.setup({ mode: 'check' })).rejects.toMatchObject({ code: 'not-found' });
    await expect(program.apart((channel) => channel.checkQueue('logs-collector'))).rejects.toThrow(/NOT_FOUND/);
  });

  test('an exclusive queue is gone with its process, and a headers exchange selects by its arguments', async () => {
    const url = await server().freshUrl();
    const program = await plainProgram(url);
    const alert = defineTopic('alerts', { schema: z.object({ n: z.number() }), groups: { eu: {}, us: {} } });
    const queue = await openQueue(
      amqp({
        url,
        topics: {
          alerts: {
            exchange: { name: 'alerts', type: 'headers' },
            groups: {
              eu: { queue: 'eu', exclusive: true, durable: false, bindings: [{ arguments: { region: 'eu' } }] },
              us: { queue: 'us', bindings: [{ arguments: { 'x-match': 'any', region: 'us', test: 'yes' } }] },
            },
          },
        },
      }),
      { topics: [alert] },
    );
    const seen: string[] = [];
    for (const group of ['eu', 'us']) {
      await queue.consume(alert, async ({ message }) => void seen.push(`${group} ${message.body.n}`), { group });
    }

    await queue.publish(alert, { n: 1 }, { headers: { region: 'eu' } });
    await queue.publishAfter(alert, { n: 2 }, 200, { headers: { region: 'us' } });
    await program.publish('alerts', '', { n: 3 }, { headers: { region: 'eu', test: 'yes' } });
    await expect(queue.publish(alert, { n: 4 })).rejects.toMatchObject({ code: 'unroutable' });

    await eventually('all', () => seen.length === 4);
    expect(seen.sort()).toEqual(['eu 1', 'eu 3', 'us 2', 'us 3']);
    await queue.close();
    await eventually('it is gone', () =>
      program.ready('eu').then(
        () => false,
        (error: unknown) => /NOT_FOUND/.test(String(error)),
      ),
    );
    expect(await program.ready('us')).toBe(0);
  });

  test('a group whose queue goes with its last consumer is not paused, so that nothing that waits is lost', async () => {
    const url = await server().freshUrl();
    const queue = await opened(url, {
      ...tickborg,
      rebuilds: { exchange: null, groups: { default: { queue: 'rebuilds', autoDelete: true } } },
    });
    const seen: number[] = [];
    let finish = (): void => {};
    const asked = new Promise<void>((resolve) => {
      finish = resolve;
    });
    await queue.consume(
      rebuild,
      async ({ message }) => {
        seen.push(message.body.pr);
        await asked;
      },
      { prefetch: 1, concurrency: 1 },
    );
    for (let pr = 0; pr < 4; pr++) await queue.publish(rebuild, { pr });
    await eventually('one in hand', () => seen.length === 1);

    await expect(queue.admin.pause(rebuild)).rejects.toMatchObject({
      code: 'unsupported',
      message: expect.stringMatching(/queue "rebuilds" with autoDelete/),
    });

    finish();
    await eventually('all of them', () => seen.length === 4);
  });
});
