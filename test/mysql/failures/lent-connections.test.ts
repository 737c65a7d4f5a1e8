// An application's Kysely instance as backend, when its network or its pool fails: what only connections that are not ours can do.
import { connect } from 'node:net';
import { Kysely, MysqlDialect } from 'kysely';
import { createPool } from 'mysql2';
import { expect, test } from 'vitest';
import { BorrowedConnections } from '../../../src/queue/mysql/kysely-link.js';
import { describeServers, tcpProxy } from '../../servers/index.js';
import { eventually, soon, timeFactor } from '../eventually.js';
import { jobTopic, openProcess } from './jobs.js';

await describeServers(['mariadb', 'mysql'], (_, server) => {
  test.concurrent(
    'a lent connection that nobody answers on is given up, and the consumer resumes on another',
    async () => {
      const url = await server().freshUrl();
      const topic = jobTopic();
      await using gone = await tcpProxy(url);
      await using publisher = await openProcess(topic, { url });
      const { hostname, port } = new URL(url);
      let [host, at] = ['127.0.0.1', gone.port];
      const pool = createPool({ uri: url, connectionLimit: 20, stream: () => connect(at, host) });
      const db = new Kysely<unknown>({ dialect: new MysqlDialect({ pool }) });
      const queue = await openProcess(topic, { kysely: db, connections: 2, leaseMs: 3_000 });
      const received: number[] = [];
      await queue.consume(topic, ({ message: { body } }) => received.push(body.n));
      await publisher.publish(topic, { n: 1 });
      await eventually('it arrives', () => received.includes(1));

      gone.halfOpen();
      [host, at] = [hostname, Number(port)];
      await publisher.publish(topic, { n: 2 });

      await eventually('the consumer resumes', () => received.includes(2), 40_000);
      await soon('it is closed', queue.close({ deadlineMs: 500 }), 40_000);
      pool.end(() => {});
    },
    100_000 * timeFactor,
  );

  test.concurrent('an instance whose pool the application has ended lends nothing, and says what to do', async () => {
    const pool = createPool({ uri: await server().freshUrl(), connectionLimit: 20 });
    const db = new Kysely<unknown>({ dialect: new MysqlDialect({ pool }) });
    await new Promise<void>((resolve) => pool.end(() => resolve()));

    const lent = new BorrowedConnections(db).connect({ autocommit: true, lockWaitSeconds: 1, silenceSeconds: 30 });

    await expect(lent).rejects.toMatchObject({
      code: 'unavailable',
      remedy: 'keep its pool open until the queue is closed',
    });
  });
});
