import { randomBytes } from 'node:crypto';
import { chmodSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { freePort } from './free-port.js';
import { LocalControl } from './local-control.js';
import { commandOf, type Program, seenBy } from './program.js';
import { nodeEnvironment, type RabbitNode } from './rabbit-node.js';
import type { StartOptions } from './server.js';
import { ServerProcess } from './server-process.js';
import type { StartedLocally } from './started-locally.js';

export interface RabbitStart extends StartOptions {
  /** Short name before `@localhost`. */
  readonly nodeName?: string | undefined;
  /** What nodes of a cluster share; made for a node of its own. */
  readonly cluster?: { readonly epmdPort: number; readonly cookie: string } | undefined;
}

/**
 * The broker repeats what its dead-letter worker could not deliver after 180 s; tests of restarts on 3.10 wait for
 * that. 5 s here. 4.x has the setting too.
 */
export const quickDeadLetters = '[{rabbit, [{dead_letter_worker_publisher_confirm_timeout, 5000}]}].\n';

/** Starts a RabbitMQ node on free ports, all its listeners on 127.0.0.1, its files in `folder`. */
export async function startRabbitServer(
  program: Program,
  folder: string,
  { settings = {}, advancedConfig = quickDeadLetters, nodeName = 'signalbox', cluster }: RabbitStart,
): Promise<StartedLocally> {
  const [port, distributionPort] = [await freePort(), await freePort()];
  const helpers: ServerProcess[] = [];
  const epmdPort = cluster?.epmdPort ?? (await freePort());
  if (!cluster) helpers.push(await startEpmd(program, folder, epmdPort));
  writeCookie(folder, cluster?.cookie ?? randomBytes(12).toString('hex'));
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}\n`);
  writeFileSync(join(folder, 'rabbitmq.conf'), lines.join(''));
  writeFileSync(join(folder, 'advanced.config'), advancedConfig);
  writeFileSync(join(folder, 'plugins'), '[].\n');

  const node: RabbitNode = { program, folder, nodeName: `${nodeName}@localhost`, epmdPort };
  const seen = (...path: string[]): string => seenBy(program, folder, ...path);
  const environment = {
    ...nodeEnvironment(node),
    RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
    RABBITMQ_NODE_PORT: String(port),
    RABBITMQ_DIST_PORT: String(distributionPort),
    RABBITMQ_MNESIA_BASE: seen('data'),
    RABBITMQ_LOG_BASE: seen('logs'),
    RABBITMQ_PID_FILE: seen('pid'),
    RABBITMQ_CONFIG_FILE: seen('rabbitmq.conf'),
    RABBITMQ_ADVANCED_CONFIG_FILE: seen('advanced.config'),
    RABBITMQ_ENABLED_PLUGINS_FILE: seen('plugins'),
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1}',
    // The script then becomes the server instead of waiting for a child of its own, which nobody would kill.
    RUNNING_UNDER_SYSTEMD: 'true',
  };
  const command = commandOf(program, folder, ['/usr/lib/rabbitmq/bin/rabbitmq-server']);
  const url = `amqp://guest:guest@127.0.0.1:${port}/`;
  const control = new LocalControl(url, () => new ServerProcess(command, environment, join(folder, 'log')));
  try {
    return { url, port, version: await control.startAndGreet(), control, rabbitNode: node, helpers };
  } catch (error) {
    await Promise.all(helpers.map((helper) => helper.end('SIGKILL')));
    throw error;
  }
}

/**
 * Knows which port a node of a name has. Started here, in the foreground, because the one that Erlang starts by itself
 * is a daemon which stays.
 */
export async function startEpmd(program: Program, folder: string, port: number): Promise<ServerProcess> {
  const command = commandOf(program, folder, ['epmd', '-port', String(port), '-address', '127.0.0.1']);
  const epmd = new ServerProcess(command, {}, join(folder, 'epmd-log'));
  const giveUpAt = performance.now() + 20_000;
  while (!(await accepts(port))) {
    if (epmd.ended !== null || performance.now() > giveUpAt) {
      await epmd.end('SIGKILL');
      throw new Error(`cannot start epmd on port ${port}: ${epmd.ended ?? 'it does not answer'}\n${epmd.lastWords()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return epmd;
}

/** Erlang refuses a cookie that others may read. */
function writeCookie(folder: string, cookie: string): void {
  writeFileSync(join(folder, '.erlang.cookie'), cookie);
  chmodSync(join(folder, '.erlang.cookie'), 0o400);
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: '127.0.0.1', port });
    socket.once('error', () => resolve(false));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}
