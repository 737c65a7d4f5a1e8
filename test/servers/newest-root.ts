import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { freePort } from './free-port.js';
import { systemEnvironment } from './program.js';

const run = promisify(execFile);

/** A script kept beside the checkout that makes a root file system with the newest MySQL and RabbitMQ of Debian. */
const script = fileURLToPath(new URL('../../../shared/tools/newest-servers', import.meta.url));

/**
 * That root file system; it is made (in about 40 s) when there is none and the script is there. Rejects with the reason
 * when it cannot be had.
 */
export async function newestRoot(environment: NodeJS.ProcessEnv): Promise<string> {
  if (process.getuid?.() !== 0) throw new Error('a root file system of its own needs root');
  const cache = environment.XDG_CACHE_HOME || join(homedir(), '.cache');
  const base = environment.NEWEST_SERVERS_DIR || join(cache, 'newest-servers');
  const root = join(base, 'root');
  if (existsSync(join(root, '.ready'))) return root;
  if (!existsSync(script))
    throw new Error('no Docker, no such program here, and no newest-servers beside the checkout');

  console.error('making a root file system with the newest MySQL and RabbitMQ …');
  // The script starts both servers too. In a process namespace of its own they end with it.
  const args = ['--mount', '--propagation', 'private', '--pid', '--fork', '--kill-child', '--mount-proc', script, 'up'];
  const env = {
    ...systemEnvironment(),
    HOME: homedir(),
    NEWEST_SERVERS_DIR: base,
    MYSQL_PORT: String(await freePort()),
    // The script adds 20000 to it for Erlang's own port: a port of ours would be far too high.
    AMQP_PORT: String((await freePort()) - 15_000),
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1}',
    DEBIAN_FRONTEND: 'noninteractive',
  };
  await run('unshare', args, { env, timeout: 400_000, maxBuffer: 2 ** 26 });
  return root;
}
