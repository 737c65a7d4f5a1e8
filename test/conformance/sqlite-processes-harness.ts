import { Kysely, SqliteDialect } from 'kysely';
import Libsql from 'libsql';
import type { Harness, HarnessTransaction } from 'signalbox/conformance';
import { sqlite } from 'signalbox/sqlite';
import { OtherProcesses } from '../sqlite/remote-driver.js';
import { TemporaryFolder } from '../sqlite/temporary-folder.js';

/** The SQLite driver in real time, every client in a process of its own, which `kill -9` really ends. */
export function sqliteProcessesHarness(timeFactor: number): Harness {
  const folder = new TemporaryFolder();
  const path = folder.file;
  const processes = new OtherProcesses({ path, leaseMs: 2_000 * timeFactor }, sqlite);
  return {
    backend: 'sqlite',
    version: 'several processes',
    time: { kind: 'real', timeFactor },
    client: () => processes.client(),
    killSubscriber: (driver) => processes.kill9(driver),
    beginTransaction: async () => {
      await processes.local();
      return kyselyTransaction(path);
    },
    // What docs/sqlite.md calls a foreign message.
    sendForeign: async ({ topic, routingKey, body }) => {
      const connection = new Libsql(path, { timeout: 5_000 });
      connection
        .prepare(
          `insert into signalbox_messages (group_id, routing_key, body)
             select g.group_id, ?, ? from signalbox_groups g join signalbox_topics t using (topic_id)
             where t.name = ? and g.removed = 0`,
        )
        .run(routingKey, body, topic);
      connection.close();
    },
    backendNow: () => Date.now(),
    close: async () => {
      await processes.close();
      folder[Symbol.dispose]();
    },
  };
}

/** Of Kysely's; the harness in virtual time has those of libsql. */
async function kyselyTransaction(path: string): Promise<HarnessTransaction> {
  const db = new Kysely<unknown>({
    dialect: new SqliteDialect({ database: new Libsql(path, { timeout: 5_000 }) as never }),
  });
  const transaction = await db.startTransaction().execute();
  let open = true;
  const end = (how: 'commit' | 'rollback') => async (): Promise<void> => {
    if (!open) return;
    open = false;
    await transaction[how]().execute();
    await db.destroy();
  };
  return { handle: transaction, commit: end('commit'), rollback: end('rollback') };
}
