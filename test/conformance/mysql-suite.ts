import { registerConformance } from 'signalbox/conformance';
import { afterAll, describe, test } from 'vitest';
import { familyOf, startServer, wantedServers } from '../servers/index.js';
import { mysqlHarness } from './mysql-harness.js';

/** The suite shares two cores with a server that writes every commit to disk, and with what else is tested. */
const timeFactor = 2 * Number(process.env.SIGNALBOX_TEST_TIME_FACTOR ?? '1');

const api = { test, concurrent: test.concurrent, skip: (name: string) => test.skip(name) };

/** The whole suite on the servers of a family: minutes for each, so that each has a file. */
export function mysqlSuite(family: 'mysql' | 'mariadb'): void {
  const wanted = wantedServers(process.env).filter(({ name }) => familyOf(name) === family);
  if (wanted.length === 0) test.skip(`${family}: not among the servers asked for`);
  for (const { name } of wanted) {
    describe(`MySQL: ${name}`, { timeout: 120_000 * timeFactor }, async () => {
      const server = await startServer(name);
      afterAll(() => server.stop());
      const { version, control } = server;
      const restart = control === null ? undefined : () => control.restart();
      // One of the two ways to bring one's own transaction on each.
      const transactions = family === 'mysql' ? 'mysql2' : 'kysely';
      await registerConformance(
        api,
        mysqlHarness({ url: await server.freshUrl(), version, restart, timeFactor, transactions }),
      );
    });
  }
}
