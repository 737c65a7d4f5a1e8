import assert from 'node:assert/strict';
import { type BuildId, buildId } from '../buildrunner/index.js';
import { QueueError } from '../queue/index.js';
import type { Build } from './build.js';
import { type BuildQuery, type BuildStore, maxPageSize } from './build-store.js';
import { jobRequestSchema } from './job-request.js';
import { announced, created, observed, pollTaken, timedOut, triggered } from './transitions.js';

/** What an author of a store has to provide so that the contract can be tested on it. */
export interface BuildStoreHarness {
  /** An empty store ready for use; called once per case. */
  readonly create: () => BuildStore | Promise<BuildStore>;
  /** A second connection to the same builds; left out where there is only one. */
  readonly connect?: ((store: BuildStore) => BuildStore | Promise<BuildStore>) | undefined;
  /** Removes what `create` made, after the case closed every store. */
  readonly remove?: ((store: BuildStore) => void | Promise<void>) | undefined;
}

/**
 * Declares the cases that every build store passes. `test` is that of vitest or node:test, or anything that
 * runs what it is given and notes a rejection as a failure.
 */
export function buildStoreContract(
  api: { readonly test: (name: string, run: () => Promise<void>) => unknown },
  harness: BuildStoreHarness,
): void {
  const check = (name: string, run: (store: BuildStore, other: BuildStore) => Promise<void>): void => {
    api.test(name, async () => {
      const store = await harness.create();
      const other = (await harness.connect?.(store)) ?? store;
      try {
        await run(store, other);
      } finally {
        await other.close();
        await store.close();
        await harness.remove?.(store);
      }
    });
  };

  check('what was created is loaded as it was', async (store, other) => {
    const build = requested(1);

    const creation = await store.createIfAbsent(build);

    assert.deepEqual(creation, { created: true, build });
    assert.deepEqual(await other.load(build.requestId), build);
  });

  check('what was never created is null', async (store) => {
    assert.equal(await store.load(requested(1).requestId), null);
    assert.equal(await store.loadByBuildId(buildId('nobody')), null);
  });

  check('a second creation changes nothing and answers the record that stands', async (store, other) => {
    const build = requested(1);
    await store.createIfAbsent(build);
    assert.ok(await store.compareAndSet(accepted(build, 'b-1')));

    const creation = await other.createIfAbsent({ ...build, createdAt: build.createdAt + 1_000 });

    assert.equal(creation.created, false);
    assert.deepEqual(creation.build, await store.load(build.requestId));
    assert.equal(creation.build.status, 'accepted');
  });

  check('of 20 concurrent creations of one request, one created it', async (store, other) => {
    const creations = await Promise.all(
      Array.from({ length: 20 }, (_, n) => (n % 2 ? store : other).createIfAbsent({ ...requested(1), updatedAt: n })),
    );

    assert.equal(creations.filter((creation) => creation.created).length, 1);
    const winner = creations.find((creation) => creation.created)?.build;
    for (const { build } of creations) assert.deepEqual(build, winner);
  });

  check('compareAndSet stores the record with its version raised by one', async (store, other) => {
    const build = requested(1);
    await store.createIfAbsent(build);
    const next = accepted(build, 'b-1');

    assert.equal(await store.compareAndSet(next), true);

    assert.deepEqual(await other.load(build.requestId), { ...next, version: build.version + 1 });
  });

  check('every field of a record survives', async (store) => {
    const build = requested(1);
    await store.createIfAbsent(build);
    const full: Build = {
      ...accepted(build, 'a build id with "quotes", ünïcode 🚦 and trailing space '),
      status: 'failed',
      nextPoll: 12_345,
      nextPollAt: null,
      polls: 17,
      cancelRequestedAt: 1_767_225_600_000,
      cancelReason: "it isn't \\ wanted; drop table builds",
      cancelSentAt: 1_767_225_600_001,
      reason: 'x'.repeat(1_000),
      metadata: { url: 'https://builds.example.org/1', 'ключ "k"': 'value\nof lines', empty: '' },
      announced: true,
      overdueAt: 1_767_225_600_001,
      finishedAt: 1_767_225_600_002,
      remindedAt: 1_767_225_600_003,
    };

    assert.ok(await store.compareAndSet(full));

    assert.deepEqual(await store.load(build.requestId), { ...full, version: full.version + 1 });
  });

  check('compareAndSet on an old version changes nothing and says so', async (store, other) => {
    const build = requested(1);
    await store.createIfAbsent(build);
    const first = accepted(build, 'b-1');
    await store.compareAndSet(first);

    assert.equal(await other.compareAndSet({ ...build, reason: 'too late' }), false);
    assert.equal(await other.compareAndSet({ ...build, version: build.version + 7 }), false);

    assert.deepEqual(await store.load(build.requestId), { ...first, version: build.version + 1 });
  });

  check('compareAndSet of what was never created stores nothing', async (store) => {
    assert.equal(await store.compareAndSet(requested(1)), false);

    assert.equal(await store.load(requested(1).requestId), null);
  });

  check('of 20 concurrent compareAndSets on one version, one wins and is what stands', async (store, other) => {
    const build = requested(1);
    await store.createIfAbsent(build);

    const won = await Promise.all(
      Array.from({ length: 20 }, (_, n) => (n % 2 ? store : other).compareAndSet({ ...build, reason: `by ${n}` })),
    );

    assert.equal(won.filter(Boolean).length, 1);
    assert.equal((await store.load(build.requestId))?.reason, `by ${won.indexOf(true)}`);
    assert.equal((await store.load(build.requestId))?.version, build.version + 1);
  });

  check('a counter raised by compareAndSet from 8 sides loses no step', async (store, other) => {
    const build = requested(1);
    await store.createIfAbsent(build);
    const raise = async (side: BuildStore): Promise<void> => {
      let raised = 0;
      // Bounded, so that a store that never says yes fails here instead of turning for ever.
      for (let attempts = 0; raised < 10 && attempts < 5_000; attempts++) {
        const now = await side.load(build.requestId);
        assert.ok(now !== null);
        if (await side.compareAndSet({ ...now, polls: now.polls + 1 })) raised += 1;
      }
      assert.equal(raised, 10, 'compareAndSet did not win once in hundreds of attempts');
    };

    await Promise.all(Array.from({ length: 8 }, (_, n) => raise(n % 2 ? store : other)));

    assert.equal((await store.load(build.requestId))?.polls, 80);
  });

  check('a build is found by its build id from the moment it has one', async (store, other) => {
    const build = requested(1);
    await store.createIfAbsent(build);
    await store.createIfAbsent(requested(2));
    assert.equal(await other.loadByBuildId(buildId('b-1')), null);

    await store.compareAndSet(accepted(build, 'b-1'));

    const found = await other.loadByBuildId(buildId('b-1'));
    assert.equal(found?.requestId, build.requestId);
    assert.deepEqual(found, await store.load(build.requestId));
  });

  check('a build is not found by a build id that its record has no more', async (store) => {
    const build = requested(1);
    await store.createIfAbsent(build);
    await store.compareAndSet(accepted(build, 'b-1'));

    await store.compareAndSet({ ...build, version: build.version + 1 });

    assert.equal(await store.loadByBuildId(buildId('b-1')), null);
  });

  check('build ids are compared as they are: case, accents and trailing spaces matter', async (store) => {
    const ids = ['b-1', 'B-1', 'b-1 ', 'b\u00e9', 'be\u0301', 'be'];
    for (const [n, id] of ids.entries()) {
      await store.createIfAbsent(requested(n));
      await store.compareAndSet(accepted(requested(n), id));
    }

    for (const [n, id] of ids.entries()) {
      assert.equal((await store.loadByBuildId(buildId(id)))?.requestId, requested(n).requestId);
    }
  });

  check('records go in and come out as copies', async (store) => {
    const build = requested(1);
    const metadata: Record<string, string> = { url: 'https://builds.example.org/1' };
    const given = { ...build, metadata };
    const creation = await store.createIfAbsent(given);

    metadata.url = 'changed by the caller';
    (creation.build.metadata as Record<string, string>).url = 'changed in the answer';
    const loaded = await store.load(build.requestId);
    assert.equal(loaded?.metadata.url, 'https://builds.example.org/1');
    (loaded?.metadata as Record<string, string>).url = 'changed in what was loaded';
    const { builds } = await store.list({ limit: 1, cursor: null });
    assert.equal(builds[0]?.metadata.url, 'https://builds.example.org/1');
    (builds[0]?.metadata as Record<string, string>).url = 'changed in the list';

    assert.equal((await store.load(build.requestId))?.metadata.url, 'https://builds.example.org/1');
  });

  check('an empty store lists nothing', async (store) => {
    assert.deepEqual(await store.list({ limit: 10, cursor: null }), { builds: [], next: null });
  });

  check('pages list every build once, oldest first, whatever their size', async (store) => {
    // Created out of order, and several in one instant.
    const builds = [5, 3, 9, 1, 7, 2, 8, 4, 6, 0].map((n) => ({
      ...requested(n),
      createdAt: startedAt + Math.floor(n / 3),
    }));
    for (const build of builds) await store.createIfAbsent(build);
    const inOrder = builds
      .toSorted((one, other) => one.createdAt - other.createdAt || (one.requestId < other.requestId ? -1 : 1))
      .map((build) => build.requestId);

    for (const limit of [1, 3, 5, 10, 11, maxPageSize]) {
      const pages = await pagesOf(store, { limit });

      assert.deepEqual(pages.flat(), inOrder);
      assert.equal(pages.length, Math.ceil(builds.length / limit));
    }
  });

  check('a list holds what its filter names', async (store) => {
    const end = accepted(requested(2), 'b-2');
    const states: readonly Build[] = [
      requested(0),
      accepted(requested(1), 'b-1'),
      timedOut(end, startedAt),
      announced(timedOut(accepted(requested(3), 'b-3'), startedAt), startedAt),
      observed(accepted(requested(4), 'b-4'), { status: 'running', metadata: {} }, startedAt),
    ];
    for (const build of states) {
      await store.createIfAbsent(requested(states.indexOf(build)));
      await store.compareAndSet(build);
    }
    const found = async (filter: Omit<BuildQuery, 'limit' | 'cursor'>): Promise<readonly number[]> =>
      (await pagesOf(store, { ...filter, limit: 2 }))
        .flat()
        .map((id) => states.findIndex((build) => build.requestId === id));

    assert.deepEqual(await found({}), [0, 1, 2, 3, 4]);
    assert.deepEqual(await found({ announced: false }), [0, 1, 2, 4]);
    assert.deepEqual(await found({ announced: true }), [3]);
    assert.deepEqual(await found({ statuses: ['accepted', 'running'] }), [1, 4]);
    assert.deepEqual(await found({ statuses: ['failed'], announced: false }), [2]);
    assert.deepEqual(await found({ statuses: [] }), []);
  });

  check('builds that change or come in between pages neither hide nor repeat others', async (store) => {
    for (let n = 0; n < 9; n++) await store.createIfAbsent(requested(n * 10));
    const seen: string[] = [];
    let cursor: string | null = null;
    for (let page = 0; page === 0 || cursor !== null; page++) {
      const answer = await store.list({ limit: 2, cursor });
      seen.push(...answer.builds.map((build) => build.requestId));
      cursor = answer.next;
      // One of each page changes, and one comes in at its place in front of, behind, or at the end of the rest.
      const changed = answer.builds[0];
      if (changed !== undefined) await store.compareAndSet(pollTaken(changed, 1, 1_000, startedAt + 1_000_000));
      await store.createIfAbsent(requested(page * 25 + 1));
    }

    assert.equal(new Set(seen).size, seen.length);
    for (let n = 0; n < 9; n++) assert.ok(seen.includes(requested(n * 10).requestId), `build ${n * 10} was not listed`);
  });

  check('a limit that makes no sense is an error', async (store) => {
    for (const limit of [0, -1, 1.5, Number.NaN, maxPageSize + 1]) {
      await assert.rejects(store.list({ limit, cursor: null }), hasCode('invalid'));
    }
  });

  check('closing twice is one closing, and every verb afterwards is an error', async (store, other) => {
    await Promise.all([store.close(), store.close()]);
    await store.close();

    await assert.rejects(store.createIfAbsent(requested(1)), hasCode('closed'));
    await assert.rejects(store.load(requested(1).requestId), hasCode('closed'));
    await assert.rejects(store.loadByBuildId(buildId('b-1')), hasCode('closed'));
    await assert.rejects(store.compareAndSet(requested(1)), hasCode('closed'));
    await assert.rejects(store.list({ limit: 1, cursor: null }), hasCode('closed'));
    if (other !== store) assert.equal(await other.load(requested(1).requestId), null);
  });
}

const startedAt = Date.UTC(2026, 0, 1);

/** The nth build of a case, n seconds younger than the first. */
function requested(n: number): Build {
  const request = jobRequestSchema.parse({
    request_id: `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`,
    source: 'manual',
    repo_url: 'https://git.example.org/tern/compass.git',
    commit_sha: 'c0ffee'.padEnd(40, '0'),
    submitted_at: '2026-01-01T00:00:00Z',
  });
  return created(request, startedAt + n * 1_000);
}

function accepted(build: Build, id: string): Build {
  const named: BuildId = buildId(id);
  return triggered(build, { buildId: named, firstPollMs: 5_000, deadlineMs: 60_000, now: startedAt + 500_000 });
}

async function pagesOf(store: BuildStore, query: Omit<BuildQuery, 'cursor'>): Promise<readonly (readonly string[])[]> {
  const pages: (readonly string[])[] = [];
  for (let cursor: string | null = null; pages.length === 0 || cursor !== null; ) {
    const { builds, next } = await store.list({ ...query, cursor });
    assert.ok(builds.length <= query.limit);
    pages.push(builds.map((build) => build.requestId));
    cursor = next;
  }
  return pages;
}

function hasCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof QueueError && error.code === code;
}
