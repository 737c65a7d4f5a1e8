import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemEnvironment } from './program.js';

/** A script kept beside the checkout that makes a root file system with the newest MySQL and RabbitMQ of Debian. */
const newestServers = fileURLToPath(new URL('../../../shared/tools/newest-servers', import.meta.url));

const namespaces = '--mount --propagation private --pid --fork --kill-child --mount-proc'.split(' ');

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
  if (!existsSync(newestServers))
    throw new Error('no Docker, no such program here, and no newest-servers beside the checkout');

  console.error('making a root file system with the newest MySQL and RabbitMQ …');
  await makeRoot(base, join(root, '.ready'));
  return root;
}

/**
 * Runs the script until the root is ready. It would then start both servers on ports that others may use: it is ended
 * before, with all that it has started, by ending the process namespace in which it runs.
 */
async function makeRoot(base: string, ready: string): Promise<void> {
  const env = { ...process.env, ...systemEnvironment(), HOME: homedir(), NEWEST_SERVERS_DIR: base };
  const script = spawn('unshare', [...namespaces, newestServers, 'up'], {
    env: { ...env, DEBIAN_FRONTEND: 'noninteractive' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  script.stderr.on('data', (bytes: Buffer) => {
    said += bytes.toString();
  });
  const ended = new Promise<void>((resolve) => {
    script.once('error', (error) => {
      said += error.message;
      resolve();
    });
    script.once('exit', () => resolve());
  });
  const giveUpAt = performance.now() + 400_000;
  while (!existsSync(ready) && script.exitCode === null && script.signalCode === null && performance.now() < giveUpAt) {
    await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 100))]);
  }
  script.kill('SIGKILL');
  await ended;
  if (!existsSync(ready)) throw new Error(`cannot make a root file system: ${said.trim() || 'it takes too long'}`);
}
