// Of this driver alone: a server looks after its own rows.
import Libsql from 'libsql';
import { expect, test } from 'vitest';
import { entry, OnAFile } from './on-a-file.js';

test('idempotency keys whose window is over go, also when nobody uses keys any more', async () => {
  await using file = new OnAFile();
  const driver = await file.driver();
  const withKey = (n: number) =>
    entry('plain', `m${n}`, { dedup: { key: `k${n}`, windowMs: n < 500 ? 1_000 : 60_000 } });
  await driver.send(Array.from({ length: 510 }, (_, n) => withKey(n)));
  const database = new Libsql(file.path, { timeout: 5_000 });
  const keys = () => (database.prepare('select count(*) as n from signalbox_keys').all([]) as { n: number }[])[0]?.n;
  expect(keys()).toBe(510);

  await file.clock.advance(2_000);

  await expect.poll(keys, { timeout: 10_000 }).toBe(10);
  database.close();
});
