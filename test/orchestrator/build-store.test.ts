import { describe, expect, test } from 'vitest';
import { type Build, type BuildStore, buildStoreContract, memoryBuildStore } from '../../src/orchestrator/index.js';

describe('contract: the memory build store', () => {
  buildStoreContract({ test }, { create: memoryBuildStore });
});

// Each of these stores breaks one promise; the contract has to say which.
const wrongStores: readonly [breaks: string, caughtBy: string, make: (right: BuildStore) => Partial<BuildStore>][] = [
  [
    'compares no version',
    'compareAndSet on an old version changes nothing',
    (right) => ({ compareAndSet: withoutVersion(right) }),
  ],
  [
    'looks, then waits, then writes',
    'of 20 concurrent compareAndSets on one version',
    (right) => ({ compareAndSet: withARace(right) }),
  ],
  [
    'creates what it is to replace',
    'compareAndSet of what was never created',
    (right) => ({ compareAndSet: creating(right) }),
  ],
  ['replaces at creation', 'a second creation changes nothing', (right) => ({ createIfAbsent: replacing(right) })],
  [
    'answers what was given as the standing record',
    'a second creation changes nothing',
    (right) => ({
      createIfAbsent: async (build) => ({ ...(await right.createIfAbsent(build)), build }),
    }),
  ],
  ['gives out what it holds', 'records go in and come out as copies', sharing],
  ['pages by number', 'neither hide nor repeat others', (right) => ({ list: byNumber(right) })],
  [
    'forgets its filter',
    'a list holds what its filter names',
    (right) => ({
      list: ({ limit, cursor }) => right.list({ limit, cursor }),
    }),
  ],
  ['finds no build ids', 'found by its build id', () => ({ loadByBuildId: async () => null })],
  ['serves after its end', 'closing twice is one closing', () => ({ close: async () => {} })],
];

describe('the contract catches a store that', () => {
  test.for(wrongStores)('%s', async ([, caughtBy, make]) => {
    const failed: string[] = [];
    const cases: (() => Promise<void>)[] = [];
    const collect = (name: string, run: () => Promise<void>): void => {
      cases.push(() => run().catch(() => void failed.push(name)));
    };
    const create = (): BuildStore => {
      const right = memoryBuildStore();
      return { ...right, ...make(right) };
    };

    buildStoreContract({ test: collect }, { create });
    for (const run of cases) await run();

    expect(failed).toContainEqual(expect.stringContaining(caughtBy));
  });
});

function withoutVersion(right: BuildStore): BuildStore['compareAndSet'] {
  return async (build) => {
    const standing = await right.load(build.requestId);
    return standing !== null && right.compareAndSet({ ...build, version: standing.version });
  };
}

function withARace(right: BuildStore): BuildStore['compareAndSet'] {
  const write = withoutVersion(right);
  return async (build) => {
    if ((await right.load(build.requestId))?.version !== build.version) return false;
    await Promise.resolve();
    while (!(await write(build)));
    return true;
  };
}

function creating(right: BuildStore): BuildStore['compareAndSet'] {
  return async (build) => {
    await right.createIfAbsent(build);
    return right.compareAndSet(build);
  };
}

function replacing(right: BuildStore): BuildStore['createIfAbsent'] {
  return async (build) => {
    const creation = await right.createIfAbsent(build);
    if (!creation.created) await right.compareAndSet({ ...build, version: creation.build.version });
    return creation;
  };
}

function sharing(right: BuildStore): Partial<BuildStore> {
  const shared = new Map<string, Build>();
  return {
    load: async (requestId) => {
      const build = shared.get(requestId) ?? (await right.load(requestId));
      if (build !== null) shared.set(requestId, build);
      return build;
    },
  };
}

function byNumber(right: BuildStore): BuildStore['list'] {
  return async ({ limit, cursor, ...filter }) => {
    const from = Number(cursor ?? 0);
    const { builds } = await right.list({ ...filter, limit: 1_000, cursor: null });
    const next = from + limit < builds.length ? String(from + limit) : null;
    return { builds: builds.slice(from, from + limit), next };
  };
}
