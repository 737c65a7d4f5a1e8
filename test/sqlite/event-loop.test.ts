// Of this driver alone: its work is done on this thread, where timers and signals wait for the end of it.
import Libsql from 'libsql';
import { openQueue } from 'signalbox';
import { expect, test } from 'vitest';
import { jobTopic } from '../jobs.js';
import { TemporaryFolder } from './temporary-folder.js';

test('timers run while one publish follows upon another', async () => {
  using folder = new TemporaryFolder();
  const topic = jobTopic();
  await using queue = await openQueue(`sqlite:${folder.file}?synchronous=normal`, { topics: [topic] });
  let turns = 0;
  const ticking = setInterval(() => turns++, 1);

  for (let n = 0; n < 1_000; n++) await queue.publish(topic, { n });

  clearInterval(ticking);
  expect(turns).toBeGreaterThan(2);
});

test('timers run while one look follows upon another', async () => {
  using folder = new TemporaryFolder();
  const topic = jobTopic();
  await using queue = await openQueue(`sqlite:${folder.file}`, { topics: [topic] });
  let turns = 0;
  const ticking = setInterval(() => turns++, 1);

  for (let n = 0; n < 2_000; n++) await queue.admin.depth(topic);

  clearInterval(ticking);
  expect(turns).toBeGreaterThan(2);
});

test('the lease of a handler that publishes one after another is extended', async () => {
  using folder = new TemporaryFolder();
  const [topic, next] = [jobTopic(), jobTopic()];
  await using queue = await openQueue(`sqlite:${folder.file}?leaseMs=1500`, { topics: [topic, next] });
  const database = new Libsql(folder.file, { timeout: 5_000 });
  const inHand = (): { lease_ends_at: number; token: number } | undefined =>
    database.prepare('select lease_ends_at, token from signalbox_claims').all([])[0] as never;
  await queue.publish(topic, { n: 1 });

  const [before, after] = await new Promise<unknown[]>((resolve, reject) => {
    queue
      .consume(topic, async () => {
        const first = inHand();
        const startedAt = performance.now();
        // It would go on for ever where nothing but this runs.
        while (inHand()?.lease_ends_at === first?.lease_ends_at && performance.now() - startedAt < 10_000) {
          await queue.publish(next, { n: 2 });
        }
        resolve([first, inHand()]);
      })
      .catch(reject);
  });

  expect(after).toMatchObject({ token: (before as { token: number }).token });
  expect(after).not.toEqual(before);
  database.close();
});
