// The cluster of the soak is a test's tool: what it promises is tested here.
import { connect } from 'amqplib';
import { expect, test } from 'vitest';
import { startRabbitCluster, wantedServers } from './index.js';
import { theDesk } from './the-desk.js';

const name = 'rabbitmq:4';
const wanted = wantedServers(process.env).some((server) => server.name === name);
const source = wanted ? await theDesk().source(name) : null;

test.skipIf(source?.kind !== 'local')(
  `three nodes of ${name}: a quorum queue has another leader when its own is killed (only where its programs are on this machine)`,
  { timeout: 180_000 },
  async () => {
    await using cluster = await startRabbitCluster(name, 3);
    await declareQuorumQueue(cluster.nodes[0]?.url ?? '');
    const leader = await cluster.leaderOf('q');
    expect(cluster.nodes).toContain(leader);

    await leader?.control?.kill9();

    const others = cluster.nodes.filter((node) => node !== leader);
    expect(others).toHaveLength(2);
    await expect.poll(() => cluster.leaderOf('q'), { timeout: 60_000, interval: 500 }).toBeOneOf(others);
    await leader?.control?.start();
    await expect
      .poll(async () => nodesIn(await others[0]?.rabbitmqctl?.('list_queues', '--no-table-headers', 'online')), {
        timeout: 60_000,
      })
      .toEqual(['node1@localhost', 'node2@localhost', 'node3@localhost']);
  },
);

const nodesIn = (text = ''): readonly string[] => [...(text.match(/node\d@localhost/g) ?? [])].sort();

async function declareQuorumQueue(url: string): Promise<void> {
  const connection = await connect(url);
  const channel = await connection.createChannel();
  const members = { 'x-queue-type': 'quorum', 'x-quorum-initial-group-size': 3 };
  await channel.assertQueue('q', { durable: true, arguments: members });
  await connection.close();
}
