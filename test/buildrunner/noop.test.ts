import fc from 'fast-check';
import { expect, test } from 'vitest';
import { noopRunner } from '../../src/buildrunner/index.js';
import { requestOf } from './requests.js';

test('ids are noop-<n>', async () => {
  expect((await noopRunner().trigger(requestOf('job-1'))).id).toMatch(/^noop-[0-9a-f]{32}$/);
});

test('ids are the same in every process and release: another one would start the build again', async () => {
  const { id } = await noopRunner().trigger(requestOf('job-1'));

  expect(id).toBe('noop-6c017e4bc598d402163bc8d8c32c13ae');
});

test('two instances, as before and after a restart, agree on every key and share no id between keys', async () => {
  const before = noopRunner();
  const after = noopRunner();
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(fc.string({ minLength: 1, unit: 'binary' }), { minLength: 2 }), async (keys) => {
      const ids = await Promise.all(keys.map((key) => before.trigger(requestOf(key))));
      const again = await Promise.all(keys.map((key) => after.trigger(requestOf(key))));

      expect(again).toEqual(ids);
      expect(new Set(ids.map(({ id }) => id)).size).toBe(keys.length);
    }),
  );
});

test('keys that are the same only as UTF-8 get ids of their own', async () => {
  const one = await noopRunner().trigger(requestOf('\ud800'));
  const other = await noopRunner().trigger(requestOf('\udfff'));

  expect(one.id).not.toBe(other.id);
});

test('every build has succeeded, without metadata, also after a cancel', async () => {
  const runner = noopRunner();
  const id = await runner.trigger(requestOf('job-1'));

  await runner.cancel(id);

  expect(await runner.status(id)).toEqual({ status: 'succeeded', metadata: {} });
});
