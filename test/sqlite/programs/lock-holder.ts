// Runs in a process of its own (see `locks.test.ts`): holds the write lock of a file until it is told to let go.
import Libsql from 'libsql';

const database = new Libsql(process.argv[2] ?? '', { timeout: 10_000 });
// Writes as well, so that whoever has read before is too late.
database.exec('begin immediate; pragma user_version = 1');
process.on('message', () => {
  database.exec('commit');
  process.send?.('let go');
  process.disconnect();
});
process.send?.('holds it');
