import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Libsql from 'libsql';
import { VirtualClock } from 'signalbox';
import type { Harness } from 'signalbox/conformance';
import { freshCounts } from '../../src/queue/driver.js';
import { SqliteDriver } from '../../src/queue/sqlite/driver.js';
import { settingsOf } from '../../src/queue/sqlite/options.js';

/** The SQLite driver on a file of its own, on a virtual clock. */
export function sqliteHarness(): Harness & { readonly clock: VirtualClock } {
  const clock = new VirtualClock();
  const folder = mkdtempSync(join(tmpdir(), 'signalbox-sqlite-'));
  const path = join(folder, 'queue.db');
  const client = (): SqliteDriver => new SqliteDriver(settingsOf({ path, clock }));
  let foreign = 0;
  return {
    backend: 'sqlite',
    version: () => {
      const database = new Libsql(':memory:');
      const { version } = database.prepare('select sqlite_version() as version').get([]) as { version: string };
      database.close();
      return `SQLite ${version}`;
    },
    clock,
    time: { kind: 'virtual', clock },
    client,
    killSubscriber: (driver) => (driver as SqliteDriver).kill(),
    beginTransaction: () => {
      const connection = new Libsql(path);
      connection.exec('begin immediate');
      const end = (how: 'commit' | 'rollback'): void => {
        connection.exec(how);
        connection.close();
      };
      return { handle: connection, commit: () => end('commit'), rollback: () => end('rollback') };
    },
    sendForeign: async ({ topic, routingKey, body }) => {
      const driver = client();
      await driver.open({ logger: { info() {}, warn() {} }, emit() {} });
      const message = { id: null, topic, key: null, routingKey, headers: {}, body, publishedAt: null, format: null };
      await driver.send([
        {
          target: { kind: 'topic' },
          message,
          ...{
            lane: 0,
            counts: freshCounts,
            delayMs: 0,
            nonce: `foreign ${foreign++}`,
            unmatched: 'reject',
            dedup: null,
          },
        },
      ]);
      await driver.close();
    },
    backendNow: () => clock.now(),
    close: () => rmSync(folder, { recursive: true }),
  };
}
