import { QueueError } from '../queue/index.js';
import type { Build } from './build.js';
import { type BuildStore, maxPageSize } from './build-store.js';

/**
 * Builds kept in this process and gone with it: for tests, demonstrations, and as the reference reading of
 * `BuildStore`. A test that restarts the orchestrator keeps the store.
 */
export function memoryBuildStore(): BuildStore {
  const byRequest = new Map<string, Build>();
  const requestOfBuild = new Map<string, string>();
  /** Places of all builds, oldest first: a page costs what it skips and holds, not what the store holds. */
  const places: string[] = [];
  let closed = false;

  const checkOpen = (operation: string): void => {
    if (closed)
      throw new QueueError(`cannot ${operation}: the build store is closed; open a new one`, { code: 'closed' });
  };
  const put = (build: Build): void => {
    byRequest.set(build.requestId, build);
    if (build.buildId !== null) requestOfBuild.set(build.buildId.id, build.requestId);
  };
  const copyOf = (requestId: string | undefined): Build | null => {
    const build = requestId === undefined ? undefined : byRequest.get(requestId);
    return build === undefined ? null : structuredClone(build);
  };

  return {
    async createIfAbsent(build) {
      checkOpen(`create build "${build.requestId}"`);
      const standing = copyOf(build.requestId);
      if (standing !== null) return { created: false, build: standing };
      put(structuredClone(build));
      const place = placeOf(build);
      places.splice(firstAfter(places, place), 0, place);
      return { created: true, build: structuredClone(build) };
    },
    async load(requestId) {
      checkOpen(`load build "${requestId}"`);
      return copyOf(requestId);
    },
    async loadByBuildId({ id }) {
      checkOpen(`load build "${id}"`);
      const build = copyOf(requestOfBuild.get(id));
      // A record that was put back to an older state has lost its name.
      return build?.buildId?.id === id ? build : null;
    },
    async compareAndSet(build) {
      checkOpen(`store build "${build.requestId}"`);
      if (byRequest.get(build.requestId)?.version !== build.version) return false;
      put(structuredClone({ ...build, version: build.version + 1 }));
      return true;
    },
    async list({ statuses, announced, limit, cursor }) {
      checkOpen('list builds');
      if (!Number.isInteger(limit) || limit < 1 || limit > maxPageSize) {
        throw new QueueError(
          `cannot list builds: the limit ${limit} is no whole number from 1 to ${maxPageSize}; correct it`,
          {
            code: 'invalid',
          },
        );
      }
      const builds: Build[] = [];
      for (let at = cursor === null ? 0 : firstAfter(places, cursor); at < places.length; at++) {
        const place = places[at] as string;
        const build = byRequest.get(place.slice(timeDigits)) as Build;
        if (statuses !== undefined && !statuses.includes(build.status)) continue;
        if (announced !== undefined && build.announced !== announced) continue;
        // One more than asked for was found: there is a next page, and it starts after the last of this one.
        if (builds.length === limit) return { builds, next: placeOf(builds.at(-1) as Build) };
        builds.push(structuredClone(build));
      }
      return { builds, next: null };
    },
    async close() {
      closed = true;
    },
  };
}

const timeDigits = 17;

/** Sorts as (createdAt, requestId) does; both never change. */
function placeOf(build: Build): string {
  return build.createdAt.toFixed(0).padStart(timeDigits, '0') + build.requestId;
}

/** Index of the first place after this one, by halves. */
function firstAfter(places: readonly string[], place: string): number {
  let low = 0;
  let high = places.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((places[middle] as string) <= place) low = middle + 1;
    else high = middle;
  }
  return low;
}
