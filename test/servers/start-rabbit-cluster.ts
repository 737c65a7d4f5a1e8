import { randomBytes } from 'node:crypto';
import { freePort } from './free-port.js';
import { rabbitmqctl } from './rabbit-node.js';
import { type RabbitStart, startEpmd } from './rabbit-server.js';
import type { Server } from './server.js';
import { makeServerFolder, removeFolder } from './server-folder.js';
import type { ServerName } from './server-name.js';
import { serverOf } from './server-of.js';
import { startLocally } from './start-locally.js';
import { theDesk } from './the-desk.js';

/** Nodes of one cluster, all on this machine. */
export interface RabbitCluster {
  readonly nodes: readonly Server[];
  /** The node that leads a quorum queue now, null when none does. Asks a node that runs: 1 to 3 s. */
  leaderOf(queue: string, vhost?: string): Promise<Server | null>;
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Starts a cluster of RabbitMQ nodes for the caller alone, who may end and start each by its `control`. The nodes are
 * programs of this machine or of a root of their own; containers and given servers are refused.
 */
export async function startRabbitCluster(name: ServerName, size: number): Promise<RabbitCluster> {
  const desk = theDesk();
  const source = await desk.source(name);
  if (source.kind !== 'local' || source.program.family !== 'rabbitmq') {
    throw new Error(`cannot start a cluster of ${name}: its programs are not on this machine`);
  }
  const { program } = source;
  await desk.met(name, `RabbitMQ ${program.version}`);
  const names = Array.from({ length: size }, (_, index) => `node${index + 1}`);
  const settings = Object.fromEntries([
    ['cluster_formation.peer_discovery_backend', 'classic_config'],
    ['cluster_formation.target_cluster_size_hint', String(size)],
    ...names.map((nodeName, index) => [`cluster_formation.classic_config.nodes.${index + 1}`, `${nodeName}@localhost`]),
  ]) as Record<string, string>;

  const folder = makeServerFolder();
  const epmdPort = await freePort();
  const epmd = await startEpmd(program, folder, epmdPort);
  const cluster = { epmdPort, cookie: randomBytes(12).toString('hex') };
  const starts = await Promise.allSettled(
    names.map((nodeName) => startLocally(name, program, { settings, nodeName, cluster } satisfies RabbitStart)),
  );
  const started = starts.flatMap((start) => (start.status === 'fulfilled' ? [start.value] : []));
  const stop = async (): Promise<void> => {
    await Promise.all(started.map((node) => node.stop()));
    await epmd.end('SIGKILL');
    removeFolder(folder);
  };
  const failed = starts.find((start) => start.status === 'rejected');
  if (failed !== undefined) {
    await stop();
    throw failed.reason;
  }
  const nodes = started.map(({ facts, control, stop: end }) => serverOf(facts, control, end));
  const leaderOf: RabbitCluster['leaderOf'] = async (queue, vhost = '/') => {
    const asked = started.find(({ control }) => control.pid !== null)?.facts.node;
    if (!asked) throw new Error(`cannot ask who leads "${queue}": no node of the cluster runs`);
    const list = await rabbitmqctl(asked, ['list_queues', '--vhost', vhost, '--no-table-headers', 'name', 'leader']);
    const line = list.split('\n').find((text) => text.split('\t')[0] === queue);
    const index = names.findIndex((nodeName) => line?.split('\t')[1] === `${nodeName}@localhost`);
    return nodes[index] ?? null;
  };
  return { nodes, leaderOf, stop, [Symbol.asyncDispose]: stop };
}
