import type * as mysqlDriver from 'signalbox/mysql';
import { mysqlHarness } from '../conformance/mysql-harness.js';
import { timeFactor } from '../mysql/eventually.js';
import { describeServers } from '../servers/index.js';
import { mysqlCases } from './mysql-cases.js';
import { mysqlMutants } from './mysql-mutants.js';
import { proveOn } from './real-server.js';

await describeServers(['mariadb'], (_, server) => {
  proveOn(server, {
    species: mysqlMutants,
    sources: ['src/queue', 'src/sql'],
    door: 'mysql/index.js',
    driverOf: (module) => (module as typeof mysqlDriver).mysql,
    cases: mysqlCases,
    harness: (make, url, version) => mysqlHarness({ url, version, make, timeFactor: 2 * timeFactor }),
  });
});
