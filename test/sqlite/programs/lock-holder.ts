// Runs in a process of its own (see `locks.test.ts`): holds the write lock of a file until it is told to let go.
import Libsql from 'libsql';

const database = new Libsql(process.argv[2] ?? '', { timeout: 10_000 });
database.exec('begin immediate');
process.on('message', () => {
  database.exec('commit');
  process.send?.('let go');
  process.disconnect();
});
process.send?.('holds it');
