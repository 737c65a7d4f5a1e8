import { openQueue } from 'signalbox';
import { jobRequestSchema, orchestratorTopics } from 'signalbox/orchestrator';
import { describe, expect, test } from 'vitest';
import type { DriverHost, Send } from '../../src/queue/driver.js';
import { cli, connectDurable, newUrl } from './world.js';

const id = 'C6A93ABD-2713-4D12-B76B-F6771968702F';
const short = ['enqueue', '--repo-url', 'https://git.example.org/tern/compass.git', '--commit-sha', 'c1aecb3'];
const long = [
  ...short,
  ...['--source', 'forgejo', '--workflow-path', '.forgejo/workflows/build.yaml', '--workflow-job-id', '81'],
  ...['--runs-on', 'debian-12', '--request-id', id],
];

/** All that is on the topic of job requests. */
async function requestsAt(url: string) {
  const topics = orchestratorTopics();
  const queue = await openQueue(url, { topics: Object.values(topics) });
  try {
    const { ready } = await queue.admin.depth(topics.jobs);
    const messages = [];
    if (ready === 0) return [];
    for await (const delivery of queue.subscribe(topics.jobs)) {
      messages.push(delivery.message);
      await delivery.ack();
      if (messages.length === ready) break;
    }
    return messages;
  } finally {
    await queue.close();
  }
}

describe('enqueue', () => {
  test('puts one request on the queue, under its id and its version’s routing key, and prints the id', async () => {
    const url = newUrl();

    const { code, stdout, stderr } = await cli([...long, '--queue', url], { connect: connectDurable });

    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: `${id.toLowerCase()}\n`, stderr: '' });
    expect(await requestsAt(url)).toEqual([
      expect.objectContaining({
        id: id.toLowerCase(),
        key: id.toLowerCase(),
        routingKey: 'jobrequest.v1',
        body: {
          schema_version: 'jobrequest.v1',
          request_id: id.toLowerCase(),
          source: 'forgejo',
          repo_url: 'https://git.example.org/tern/compass.git',
          commit_sha: 'c1aecb3',
          workflow_path: '.forgejo/workflows/build.yaml',
          workflow_job_id: '81',
          runs_on: 'debian-12',
          submitted_at: expect.stringMatching(/^\d{4}-.*Z$/),
        },
      }),
    ]);
  });

  test('says why it waits where the backend takes nothing', async () => {
    const connect = async (url: string) => {
      const driver = await connectDurable(url);
      const send = driver.send.bind(driver);
      let emit: DriverHost['emit'] = () => {};
      return Object.assign(Object.create(driver) as typeof driver, {
        open: (host: DriverHost) => {
          emit = host.emit;
          return driver.open(host);
        },
        send: (batch: readonly Send[]) => {
          emit({ type: 'blocked', reason: 'the disk has no room for the file: make some' });
          return send(batch);
        },
      });
    };

    const { code, stderr } = await cli([...short, '--queue', newUrl()], { connect });

    expect([code, stderr]).toEqual([
      0,
      'the backend takes no messages at present: the disk has no room for the file: make some; trying again for a while\n',
    ]);
  });

  test('takes the queue from QUEUE_URL, and --queue before it', async () => {
    const [url, other] = [newUrl(), newUrl()];

    await cli(short, { connect: connectDurable, env: { QUEUE_URL: url } });
    await cli([...short, '--queue', other], { connect: connectDurable, env: { QUEUE_URL: url } });

    expect(await requestsAt(url)).toHaveLength(1);
    expect(await requestsAt(other)).toHaveLength(1);
  });

  test('makes a new id for each request, and says with --json what was sent', async () => {
    const ids = new Set<unknown>();
    for (let n = 0; n < 2; n++) {
      const { world } = await cli([...short, '--json', '--queue', newUrl()], { connect: connectDurable });
      const document = world.json as { requestId: string; sent: boolean; request: unknown };
      expect(document).toEqual({ requestId: expect.any(String), sent: true, request: expect.anything() });
      expect(jobRequestSchema.parse(document.request)).toMatchObject({ source: 'manual', commit_sha: 'c1aecb3' });
      ids.add(document.requestId);
    }

    expect(ids.size).toBe(2);
  });

  test('says that nobody takes the request where the group is paused, and prints its id all the same', async () => {
    const url = newUrl();
    await cli([...short, '--queue', url], { connect: connectDurable });
    await cli(['pause', 'jobs', '--queue', url], { connect: connectDurable });

    const { code, stdout, stderr } = await cli([...short, '--queue', url], { connect: connectDurable });
    await cli(['resume', 'jobs', '--queue', url], { connect: connectDurable });
    const flowing = await cli([...short, '--queue', url], { connect: connectDurable });

    expect(code).toBe(0);
    expect(stdout).toMatch(/^[\da-f-]{36}\n$/);
    expect(stderr).toBe('"jobs" is paused: nobody takes this request before "signalbox resume jobs"\n');
    expect(flowing.stderr).toBe('');
  });

  test('refuses a queue that would end with the command, and sends nothing', async () => {
    const url = newUrl();

    const { code, stdout, stderr } = await cli([...short, '--queue', url]);

    expect(code).toBe(5);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^signalbox: cannot enqueue .* ends? with this command.*orchestrate --jobs FILE.*\n$/);
    expect(await requestsAt(url)).toEqual([]);
  });

  test('with --dry-run needs no queue and prints a line for a jobs file', async () => {
    const { code, stdout } = await cli([...long, '--dry-run']);

    expect(code).toBe(0);
    expect(stdout).toMatch(/^\{[^\n]*\}\n$/);
    expect(jobRequestSchema.parse(JSON.parse(stdout))).toMatchObject({
      request_id: id.toLowerCase(),
      runs_on: 'debian-12',
    });
  });

  test('with --dry-run and --json says that nothing was sent', async () => {
    const { world } = await cli([...short, '--dry-run', '--json']);

    expect(world.json).toEqual({
      requestId: expect.any(String),
      sent: false,
      request: expect.objectContaining({ commit_sha: 'c1aecb3' }),
    });
  });

  test('names every flag that is wrong at once', async () => {
    const { code, stderr } = await cli(['enqueue', '--repo-url', 'a b', '--commit-sha', 'zz', '--dry-run']);

    expect(code).toBe(2);
    expect(stderr).toMatch(/--repo-url must have no spaces; --commit-sha must be a commit hash/);
  });
});
