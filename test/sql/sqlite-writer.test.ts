// When a commit waits for the disk.
import { expect, test } from 'vitest';
import { openQueue } from '../../src/open-queue.js';
import { SqliteFile } from '../../src/sql/sqlite-file.js';
import { change, type Steps } from '../../src/sql/sqlite-steps.js';
import { SqliteTables } from '../../src/sql/sqlite-tables.js';
import { jobTopic } from '../jobs.js';
import { TemporaryFolder } from '../sqlite/temporary-folder.js';

const [normal, full] = [1, 2];

test('what must outlive the power is synchronised, also beside what need not', async () => {
  using folder = new TemporaryFolder();
  const file = await SqliteFile.open(folder.file, { synchronous: 'full', patienceMs: 1_000 });
  const tables = new SqliteTables(file, 't_', 1_000);
  await tables.write(() => change('create table {numbers} (n integer, synchronous integer)'));
  // Read within the transaction: it is what its commit does.
  const insert = (n: number) =>
    function* (): Steps<void> {
      const how = Number(file.connection.get('pragma synchronous')?.synchronous);
      yield* change('insert into {numbers} values (?, ?)', n, how);
    };

  await tables.write(insert(1));
  await tables.write(insert(2), { durable: false });
  await Promise.all([tables.write(insert(3), { durable: false }), tables.write(insert(4))]);
  await tables.write(insert(5), { durable: false });

  const rows = await tables.all('select synchronous from {numbers} order by n', []);
  expect(rows.map(({ synchronous }) => synchronous)).toEqual([full, normal, full, full, normal]);
  file.leave();
});

test('a claim waits for no disk; what is published and what is acked does', async () => {
  using folder = new TemporaryFolder();
  const topic = jobTopic();
  await using queue = await openQueue(`sqlite:${folder.file}`, { topics: [topic] });
  const file = await SqliteFile.open(folder.file, { synchronous: 'full', patienceMs: 1_000 });
  const now = (): number => Number(file.connection.get('pragma synchronous')?.synchronous);

  await queue.publish(topic, { n: 1 });
  const published = now();
  let claimed = 0;
  await new Promise<void>((resolve, reject) => {
    queue
      .consume(topic, () => {
        claimed = now();
        resolve();
      })
      .catch(reject);
  });
  await expect.poll(async () => (await queue.admin.depth(topic)).inHand).toBe(0);

  expect([published, claimed, now()]).toEqual([full, normal, full]);
  file.leave();
});
