import { randomUUID } from 'node:crypto';
import { Kysely, MysqlDialect } from 'kysely';
import { createPool } from 'mysql2';
import { openQueue } from 'signalbox';
import { mysql } from 'signalbox/mysql';
import { orchestratorTopics } from 'signalbox/orchestrator';
import { mysqlBuildStore } from 'signalbox/orchestrator/mysql';
import { expect, test } from 'vitest';
import { serveBuilds } from '../../examples/builds-in-mysql.js';
import { migrateAll } from '../../examples/own-migrations.js';
import { describeServers } from '../servers/index.js';
import { withRights } from '../sql/with-rights.js';

await describeServers(['mariadb', 'mysql'], (_name, server) => {
  test('builds-in-mysql builds what is asked for while it serves', async () => {
    const url = await server().freshUrl();
    const stop = new AbortController();
    const serving = serveBuilds(url, stop.signal);
    const topics = orchestratorTopics();
    const store = await mysqlBuildStore({ url });
    const requestId = randomUUID();

    await using queue = await openQueue(mysql({ url }), { topics: Object.values(topics) });
    await queue.publish(topics.jobs, {
      request_id: requestId,
      source: 'manual',
      repo_url: 'https://git.example.org/tern/compass.git',
      commit_sha: 'c1aecb3',
      submitted_at: '2026-01-07T08:13:36Z',
    });

    await expect
      .poll(() => store.load(requestId), { timeout: 15_000 })
      .toMatchObject({ status: 'succeeded', announced: true });
    stop.abort();
    await serving;
    await store.close();
  });

  test('own-migrations makes every table, and queue and store then need no right to', async () => {
    const url = await server().freshUrl();
    const db = new Kysely<unknown>({ dialect: new MysqlDialect({ pool: createPool(url) }) });
    await migrateAll(db);
    await migrateAll(db);
    await db.destroy();
    const worker = await withRights(url, 'select, insert, update, delete');
    const options = { url: worker, tablePrefix: 'app_', createTables: false };

    const queue = await openQueue(mysql(options), { topics: Object.values(orchestratorTopics()) });
    const store = await mysqlBuildStore(options);

    expect(await store.list({ limit: 1, cursor: null })).toEqual({ builds: [], next: null });
    await store.close();
    await queue.close();
  });
});
