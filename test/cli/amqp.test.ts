import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test, vi } from 'vitest';
import { eventually } from '../amqp/connection/eventually.js';
import { jsonOf, plainProgram } from '../amqp/foreign/plain-program.js';
import { describeServers } from '../servers/index.js';
import { builtPrograms, main } from './built-program.js';

const folder = mkdtempSync(join(tmpdir(), 'signalbox-cli-amqp-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The variables of the system that is replaced. */
const environment: Record<string, string> = {};
const programs = builtPrograms(environment);
const start = (...argv: Parameters<typeof programs>) => programs.in(folder, ...argv);

beforeEach(() => {
  for (const name of Object.keys(environment)) delete environment[name];
});

function jobRequest() {
  return {
    request_id: randomUUID(),
    source: 'github',
    repo_url: 'https://git.example.org/tern/compass.git',
    commit_sha: 'c1aecb3',
    submitted_at: '2026-01-07T08:13:36Z',
  };
}

// Topologies of several groups, each durable 1.5 s after it was declared, on a machine that others may share.
vi.setConfig({ testTimeout: 60_000 });

await describeServers(['rabbitmq'], (_, server) => {
  test('with AMQP_URL alone, orchestrate serves what a foreign program publishes for Solstice, and letters lie where it looks', async () => {
    environment.AMQP_URL = await server().freshUrl();
    const program = await plainProgram(environment.AMQP_URL);
    const orchestrator = start(
      main,
      'orchestrate',
      '--store',
      'memory:',
      '--log-json',
      '--json',
      '--poll-accepted-ms',
      '20',
    );
    await orchestrator.told('serving job requests');
    const request = jobRequest();
    // Somebody else who wants to know of the ends of builds.
    await program.channel.assertQueue('ends', { durable: true });
    await program.channel.bindQueue('ends', 'signalbox.to.build:finished', '#');

    await program.publish('solstice.jobs', 'jobrequest.v1', request);
    await program.publish('solstice.jobs', 'jobrequest.v1', Buffer.from('no JSON'));

    expect((await program.next('solstice.jobs.v1.dlq')).content.toString()).toBe('no JSON');
    expect(jsonOf(await program.next('ends'))).toMatchObject({ request_id: request.request_id, status: 'succeeded' });
    await eventually('its queue is empty', async () => (await program.ready('solstice.jobs.v1')) === 0);
    orchestrator.child.kill('SIGTERM');
    const { code, stdout, stderr } = await orchestrator.ended;
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      builds: [{ requestId: request.request_id, status: 'succeeded' }],
      deadLetters: [{ topic: 'jobs', cause: 'undecodable' }],
    });
    // Its names and tags are in the log, and no password is.
    expect(stderr).toMatch(/"queues":\["solstice\.jobs\.v1"\],"consumerTag":"[^"]+\.jobs\.default\./);
    expect(stderr).not.toContain(':guest@');
  });

  test('every name and the prefetch can be another, by flag; a foreign consumer reads what enqueue sends', async () => {
    const url = await server().freshUrl();
    Object.assign(environment, { AMQP_EXCHANGE: 'ci.in', AMQP_QUEUE: 'ci.jobs' });
    const program = await plainProgram(url);
    const flags = [
      '--amqp-url',
      url,
      '--amqp-routing-key',
      'job',
      '--amqp-dlx',
      'ci.dead',
      '--amqp-dlq',
      'ci.jobs.dead',
    ];

    const { code, stdout, stderr } = await start(
      main,
      ...['enqueue', '--repo-url', 'https://git.example.org/tern/compass.git', '--commit-sha', 'c1aecb3'],
      ...['--runs-on', 'arm64', ...flags],
    ).ended;

    expect(stderr).toBe('');
    expect(code).toBe(0);
    const message = await program.next('ci.jobs');
    expect(message.fields).toMatchObject({ exchange: 'ci.in', routingKey: 'job' });
    expect(message.properties).toMatchObject({ contentType: 'application/json', deliveryMode: 2 });
    expect(jsonOf(message)).toMatchObject({
      schema_version: 'jobrequest.v1',
      request_id: stdout.trim(),
      source: 'manual',
      commit_sha: 'c1aecb3',
      runs_on: 'arm64',
    });
    // What is nacked goes to the dead letters of those names.
    await program.publish('ci.in', 'job', { not: 'a request' });
    const orchestrator = start(main, 'orchestrate', '--store', 'memory:', '--amqp-prefetch', '3', ...flags);
    expect(jsonOf(await program.next('ci.jobs.dead'))).toEqual({ not: 'a request' });
    orchestrator.child.kill('SIGTERM');
    expect((await orchestrator.ended).code).toBe(0);
  });
});
