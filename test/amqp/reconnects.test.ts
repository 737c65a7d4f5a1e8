import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type Clock, defineTopic, openQueue } from 'signalbox';
import { amqp } from 'signalbox/amqp';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { systemClock } from '../../src/queue/clock.js';
import { describeServers, tcpProxy } from '../servers/index.js';
import { eventually } from './connection/eventually.js';
import { resources } from './resources.js';

const jobs = defineTopic('jobs', { schema: z.number() });
const ordered = defineTopic('ordered', { schema: z.number(), ordering: 'key', lanes: 2 });

/** Does not let a test wait for back-off, which grows to 2 s when connections are lost again and again. */
const hasty: Clock = {
  now: () => systemClock.now(),
  schedule: (callback, delayMs) => systemClock.schedule(callback, delayMs / 20),
};

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const built = fileURLToPath(new URL('../../dist/index.js', import.meta.url));

await describeServers(['rabbitmq'], (_, server) => {
  test('50 reconnects of a queue that publishes, consumes and delays: no more channels, timers, sockets or memory', async () => {
    const proxy = await tcpProxy(server().url);
    onTestFinished(() => proxy.close());
    const url = await server().freshUrl();
    const queue = await openQueue(amqp({ url: proxy.url(url), clock: hasty }), { topics: [jobs, ordered] });
    onTestFinished(() => queue.close());
    const handled = new Set<number>();
    await queue.consume(jobs, ({ message }) => void handled.add(message.body));
    await queue.consume(ordered, ({ message }) => void handled.add(message.body));
    let sent = 0;
    const reconnect = async (times: number): Promise<Record<string, number>> => {
      for (let i = 0; i < times; i++) {
        proxy.cut();
        sent += 3;
        const last = sent;
        await queue.publish(jobs, last - 2);
        await queue.publish(ordered, last - 1, { key: 'key' });
        await queue.publishAfter(jobs, last, 1);
        await eventually('all three are handled', () => [0, 1, 2].every((back) => handled.has(last - back)));
        handled.clear();
      }
      await eventually('old connections are gone', () => proxy.connections === 2);
      return resources();
    };
    const few = await reconnect(5);
    const fewMegabytes = heapMegabytes();
    const fewChannels = await channelsIn(url);

    const many = await reconnect(50);

    expect(many).toEqual(few);
    expect(heapMegabytes() - fewMegabytes).toBeLessThan(4);
    expect(await channelsIn(url)).toBe(fewChannels);
  }, 180_000);

  /** How many channels the broker knows in a vhost; null where nobody can ask it. */
  async function channelsIn(url: string): Promise<number | null> {
    const list = await server().rabbitmqctl?.('list_connections', 'vhost', 'channels');
    const vhost = decodeURIComponent(new URL(url).pathname.slice(1));
    const ours = list?.split('\n').filter((line) => line.startsWith(`${vhost}\t`));
    return ours?.reduce((sum, line) => sum + Number(line.split('\t')[1]), 0) ?? null;
  }

  test.skipIf(!existsSync(built))(
    'after close the process ends by itself, whatever was going on',
    async () => {
      const program = `
      import { defineTopic, openQueue } from ${JSON.stringify(built)};
      import { z } from 'zod';
      const jobs = defineTopic('jobs', { schema: z.number() });
      const ordered = defineTopic('ordered', { schema: z.number(), ordering: 'key', lanes: 2 });
      const queue = await openQueue(process.env.URL, { topics: [jobs, ordered] });
      let tell;
      const handled = new Promise((resolve) => { tell = resolve; });
      await queue.consume(jobs, async ({ message }) => { if (message.body === 3) tell(); else throw new Error('comes again'); });
      await queue.consume(ordered, () => {});
      await queue.publish(jobs, 1);
      await queue.publishAfter(jobs, 2, 3_600_000);
      // A delay whose queue is being declared when the close comes.
      await queue.publishAfter(jobs, 3, 137);
      await queue.publish(ordered, 4, { key: 'key' });
      await handled;
      await queue.close();
      console.log('closed');
    `;
      const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
        cwd: fileURLToPath(new URL('../..', import.meta.url)),
        env: { ...process.env, URL: await server().freshUrl() },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      let output = '';
      for (const stream of [child.stdout, child.stderr]) {
        stream.on('data', (chunk) => {
          output += String(chunk);
        });
      }
      const timer = setTimeout(() => child.kill('SIGKILL'), 50_000);

      const [code, signal] = await new Promise<readonly unknown[]>((resolve) => {
        child.on('close', (...ended) => resolve(ended));
      });
      clearTimeout(timer);

      expect([output.trim(), code, signal]).toEqual(['closed', 0, null]);
    },
    60_000,
  );
});

function heapMegabytes(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed / 1_048_576;
}
