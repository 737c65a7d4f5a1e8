import { QueueError } from '../../queue/index.js';
import type { Build } from '../build.js';
import { type BuildStore, maxPageSize } from '../build-store.js';
import { cursorOf, placeOf } from './build-place.js';
import type { BuildTable } from './build-table.js';

/** What every store in a database does alike. `failure` puts what the database answers into words. */
export function buildStoreOn(
  table: BuildTable,
  failure: (operation: string, error: unknown) => QueueError,
): BuildStore {
  let closing: Promise<void> | null = null;

  const attempt = async <T>(operation: string, work: () => Promise<T>): Promise<T> => {
    if (closing !== null) {
      throw new QueueError(`cannot ${operation}: the build store is closed; open a new one`, { code: 'closed' });
    }
    try {
      return await work();
    } catch (error) {
      throw failure(operation, error);
    }
  };

  return {
    createIfAbsent: (build) =>
      attempt(`create build "${build.requestId}"`, async () => {
        const standing = await table.insertUnlessThere(build);
        return standing === null
          ? { created: true, build: structuredClone(build) }
          : { created: false, build: standing };
      }),
    load: (requestId) => attempt(`load build "${requestId}"`, () => table.load(requestId)),
    loadByBuildId: ({ id }) => attempt(`load build "${id}"`, () => table.loadByBuildId(id)),
    compareAndSet: (build) => attempt(`store build "${build.requestId}"`, () => table.replace(build)),
    list: ({ cursor, limit, ...filter }) =>
      attempt('list builds', async () => {
        const after = cursor === null ? null : placeOf(cursor);
        if (!Number.isInteger(limit) || limit < 1 || limit > maxPageSize) {
          throw misuse(`the limit ${limit} is no whole number from 1 to ${maxPageSize}; correct it`);
        }
        if (cursor !== null && after === null) throw misuse('the cursor is of no page; pass "next" of the page before');
        // One more than asked for tells whether there is a next page.
        const found: readonly Build[] = await table.list({ ...filter, limit: limit + 1 }, after);
        const builds = found.slice(0, limit);
        const last = builds.at(-1);
        return { builds, next: found.length > limit && last !== undefined ? cursorOf(last) : null };
      }),
    close() {
      closing ??= table.close();
      return closing;
    },
  };
}

function misuse(what: string): QueueError {
  return new QueueError(`cannot list builds: ${what}`, { code: 'invalid' });
}
