import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Libsql from 'libsql';
import { serverVersion } from '../bench/server-version.js';
import type { ServerControl } from '../test/servers/server.js';
// By their files: the folder's door also holds what needs vitest around it.
import { startRabbitCluster } from '../test/servers/start-rabbit-cluster.js';
import { startServer } from '../test/servers/start-server.js';
import type { SoakOptions } from './arguments.js';
import { LocalServer } from './local-server.js';
import { topicsOf } from './topics.js';

/** What is soaked. */
export interface Target extends AsyncDisposable {
  readonly url: string;
  readonly version: string;
  /** Null: the server is left alone. */
  readonly server: KillableServer | null;
}

export interface KillableServer {
  /** kill -9; resolves when the process is gone. `now` is called just before, once it is known whom to kill. */
  kill(now: () => void): Promise<void>;
  /** Resolves at its first handshake. */
  start(): Promise<void>;
}

/** How long a node of a cluster stays away: long enough for its queues to have found another leader, milliseconds. */
const nodeAwayMs = 5_000;

/** The server of the URL, or one of our own, ended with the run. Rejects, before anything was sent, where the server should be killed and cannot be. */
export async function targetOf(options: SoakOptions, run: string): Promise<Target> {
  const { backend, url, killServer } = options;
  if (options.cluster) return cluster(options, run);
  // Who has the file open is killed all the while; there is nobody else.
  if (backend === 'sqlite') return file(url);
  if (url !== null) {
    const server = killServer ? new LocalServer(backend, url) : null;
    return { url, version: await serverVersion(url), server, [Symbol.asyncDispose]: async () => {} };
  }
  const own = await startServer(options.server ?? (backend === 'mysql' ? 'mysql:9' : 'rabbitmq:4'));
  return {
    url: await own.freshUrl(),
    version: own.version,
    server: killServer && own.control !== null ? killable(own.control) : null,
    [Symbol.asyncDispose]: () => own.stop(),
  };
}

/** The file of the URL, or one of our own, which is removed with the run. */
async function file(url: string | null): Promise<Target> {
  const folder = url === null ? mkdtempSync(join(tmpdir(), 'signalbox-soak-file-')) : null;
  const own = `sqlite:${join(folder ?? '', 'queue.db')}`;
  const version = sqliteVersion();
  return {
    url: url ?? own,
    version,
    server: null,
    [Symbol.asyncDispose]: async () => {
      if (folder !== null) rmSync(folder, { recursive: true });
    },
  };
}

function sqliteVersion(): string {
  const database = new Libsql(':memory:');
  const rows = database.prepare('select sqlite_version() as version').all() as { version: string }[];
  database.close();
  return `SQLite ${rows[0]?.version}`;
}

/** Three nodes on this machine; who is killed is the leader of the first lane of the ordered topic. */
async function cluster({ killServer, server: name }: SoakOptions, run: string): Promise<Target> {
  const made = await startRabbitCluster(name ?? 'rabbitmq:4', 3);
  const [first] = made.nodes;
  if (first === undefined) throw new Error('the cluster has no nodes');
  const hosts = made.nodes.map(({ port }) => `127.0.0.1:${port}`).join(',');
  const queue = `signalbox.q.${topicsOf(run).ordered.name}.default.0of8`;
  let killed: ServerControl | null = null;
  const server: KillableServer = {
    kill: async (now) => {
      killed = (await made.leaderOf(queue))?.control ?? null;
      if (killed === null) throw new Error(`no node of the cluster leads "${queue}"`);
      now();
      await killed.kill9();
    },
    start: async () => {
      await new Promise((resolve) => setTimeout(resolve, nodeAwayMs));
      await killed?.start();
    },
  };
  return {
    url: `amqp://guest:guest@${hosts}`,
    version: `${first.version}, three nodes`,
    server: killServer ? server : null,
    [Symbol.asyncDispose]: () => made.stop(),
  };
}

const killable = (control: ServerControl): KillableServer => ({
  kill: (now) => {
    now();
    return control.kill9();
  },
  start: () => control.start(),
});
