import assert from 'node:assert/strict';
import { type BuildId, buildId } from './build-id.js';
import type { BuildReport, BuildRunner } from './build-runner.js';
import { buildStatuses, isTerminal } from './build-status.js';
import { BuildUnknownError } from './errors.js';
import type { Change, TriggerRequest } from './trigger-request.js';

/** The two functions of a test runner that the contract uses; those of vitest and node:test fit. */
export interface ContractTestApi {
  readonly test: (name: string, run: () => Promise<void>) => unknown;
  /** Reports a case that the harness cannot show, with the reason in its name. Without it such a case passes under that name. */
  readonly skip?: ((name: string) => unknown) | undefined;
}

/** What an author of a runner has to provide so that the contract can be tested on it. */
export interface BuildRunnerHarness {
  /** A runner ready for use. Called once per case; builds of earlier cases may still be around. */
  readonly create: () => BuildRunner | Promise<BuildRunner>;
  /** The same runner as it is after a restart of the process that uses it; left out, where nothing survives. */
  readonly restart?: ((runner: BuildRunner) => BuildRunner | Promise<BuildRunner>) | undefined;
  /** Called with what `create` and `restart` answered, at the end of the case. */
  readonly close?: ((runner: BuildRunner) => void | Promise<void>) | undefined;
  readonly changes: {
    readonly succeeds: Change;
    readonly fails?: Change | undefined;
    /** Ends as cancelled without anybody having asked for it. */
    readonly cancelled?: Change | undefined;
    /** Runs until it is cancelled. */
    readonly neverEnds?: Change | undefined;
  };
  /** A build that the runner does not know; null declares that it knows every build, as the noop runner does. */
  readonly unknownBuild: BuildId | null;
  /** Lets so much time pass, on the runner's clock. */
  readonly letTimePass: (ms: number) => Promise<void>;
  /** Within this time every build has ended (but the one that never ends), also after a cancel. */
  readonly endsWithinMs: number;
}

/**
 * Declares the cases that every build runner passes, whatever it builds with. Start and end of the
 * run, names of suites and time limits are the caller's: wrap it in a `describe`.
 */
export function buildRunnerContract(api: ContractTestApi, harness: BuildRunnerHarness): void {
  const { changes, unknownBuild } = harness;

  const check = (name: string, run: (runner: BuildRunner) => Promise<void>): void => {
    api.test(name, async () => {
      const runner = await harness.create();
      try {
        await run(runner);
      } finally {
        await harness.close?.(runner);
      }
    });
  };

  const checkIf = <Needed>(
    needed: Needed | null | undefined,
    missing: string,
    name: string,
    run: (runner: BuildRunner, needed: Needed) => Promise<void>,
  ): void => {
    if (needed !== null && needed !== undefined) {
      check(name, (runner) => run(runner, needed));
      return;
    }
    const named = `${name} (not shown: ${missing})`;
    if (api.skip === undefined) api.test(named, async () => {});
    else api.skip(named);
  };

  const pollToEnd = async (runner: BuildRunner, id: BuildId): Promise<readonly BuildReport[]> => {
    const seen: BuildReport[] = [];
    const stepMs = harness.endsWithinMs / pollsToEnd;
    for (let polls = 0; polls <= pollsToEnd + 1; polls++) {
      const report = await runner.status(id);
      seen.push(report);
      if (isTerminal(report.status)) return seen;
      await harness.letTimePass(stepMs);
    }
    return assert.fail(`build "${id.id}" is still ${seen.at(-1)?.status} after ${harness.endsWithinMs} ms`);
  };

  const endOf = async (runner: BuildRunner, id: BuildId): Promise<string | undefined> =>
    (await pollToEnd(runner, id)).at(-1)?.status;

  check('trigger answers a build id that is a valid queue payload', async (runner) => {
    const id = await runner.trigger(requestFor(changes.succeeds));

    assert.deepEqual(JSON.parse(JSON.stringify(id)), { id: id.id });
    assert.deepEqual(buildId(id.id), id);
  });

  check('200 concurrent triggers with keys of their own answer 200 ids', async (runner) => {
    const requests = Array.from({ length: 200 }, () => requestFor(changes.succeeds));

    const ids = await Promise.all(requests.map((request) => runner.trigger(request)));

    assert.equal(new Set(ids.map(({ id }) => id)).size, 200);
  });

  check('the same idempotency key answers the same id again', async (runner) => {
    const request = requestFor(changes.succeeds);

    const first = await runner.trigger(request);
    const second = await runner.trigger(request);

    assert.equal(second.id, first.id);
  });

  check('the same idempotency key answers one id to 50 concurrent triggers', async (runner) => {
    const request = requestFor(changes.succeeds);

    const ids = await Promise.all(Array.from({ length: 50 }, () => runner.trigger(request)));

    assert.equal(new Set(ids.map(({ id }) => id)).size, 1);
  });

  check('the same idempotency key answers the same id after the build has ended', async (runner) => {
    const request = requestFor(changes.succeeds);
    const first = await runner.trigger(request);
    await pollToEnd(runner, first);

    const second = await runner.trigger(request);

    assert.equal(second.id, first.id);
    assert.equal((await runner.status(second)).status, 'succeeded');
  });

  checkIf(
    harness.restart,
    'the harness has no restart',
    'the same idempotency key answers the same id after a restart, another key another',
    async (runner, restart) => {
      const request = requestFor(changes.succeeds);
      const first = await runner.trigger(request);
      const restarted = await restart(runner);
      try {
        // The other key first: a runner that counts from 1 again shows itself by its first id.
        assert.notEqual((await restarted.trigger(requestFor(changes.succeeds))).id, first.id);
        assert.equal((await restarted.trigger(request)).id, first.id);
      } finally {
        if (restarted !== runner) await harness.close?.(restarted);
      }
    },
  );

  check('a request without a key or without a head is refused', async (runner) => {
    const request = requestFor(changes.succeeds);

    await assert.rejects(runner.trigger({ ...request, idempotencyKey: '' }), TypeError);
    await assert.rejects(runner.trigger({ ...request, head: [] }), TypeError);
  });

  check('a call whose signal is aborted already rejects with its reason', async (runner) => {
    const id = await runner.trigger(requestFor(changes.succeeds));
    const reason = new Error('given up');
    const options = { signal: AbortSignal.abort(reason) };

    const isReason = (error: unknown): boolean => error === reason;
    await assert.rejects(runner.trigger(requestFor(changes.succeeds), options), isReason);
    await assert.rejects(runner.status(id, options), isReason);
    await assert.rejects(runner.cancel(id, options), isReason);
  });

  check('every status is one of the five, with metadata from string to string', async (runner) => {
    const reports = await pollToEnd(runner, await runner.trigger(requestFor(changes.succeeds)));

    for (const { status, metadata } of reports) {
      assert.ok(buildStatuses.includes(status), `"${status}" is none of ${buildStatuses.join(', ')}`);
      for (const [name, value] of Object.entries(metadata)) {
        assert.equal(typeof value, 'string', `metadata "${name}" is no string`);
      }
    }
  });

  check('a status never goes back from running to accepted', async (runner) => {
    const reports = await pollToEnd(runner, await runner.trigger(requestFor(changes.succeeds)));

    const order = reports.map(({ status }) => buildStatuses.indexOf(status));
    assert.deepEqual(
      order,
      order.toSorted((one, other) => one - other),
    );
  });

  const ends = [
    ['succeeded', changes.succeeds],
    ['failed', changes.fails],
    ['cancelled', changes.cancelled],
  ] as const;
  for (const [end, change] of ends) {
    checkIf(
      change,
      `the harness has no change that ends as ${end}`,
      `a build that ends as ${end} stays so`,
      async (runner, ending) => {
        const id = await runner.trigger(requestFor(ending));

        assert.equal(await endOf(runner, id), end);

        for (let polls = 0; polls < 3; polls++) {
          await harness.letTimePass(harness.endsWithinMs / 3);
          assert.equal((await runner.status(id)).status, end);
        }
      },
    );
  }

  checkIf(
    changes.neverEnds,
    'the harness has no change that never ends',
    'trigger and cancel return while the build is at work, and it ends as cancelled',
    async (runner, neverEnds) => {
      const id = await runner.trigger(requestFor(neverEnds));
      await harness.letTimePass(harness.endsWithinMs);
      assert.ok(!isTerminal((await runner.status(id)).status));

      await runner.cancel(id);

      assert.equal(await endOf(runner, id), 'cancelled');
    },
  );

  check('a cancelled build ends as cancelled or at an end of its own', async (runner) => {
    const id = await runner.trigger(requestFor(changes.succeeds));

    await runner.cancel(id);

    assert.match((await endOf(runner, id)) ?? '', /^(cancelled|succeeded)$/);
  });

  check('cancelling twice is fine', async (runner) => {
    const id = await runner.trigger(requestFor(changes.neverEnds ?? changes.succeeds));

    await runner.cancel(id);
    await runner.cancel(id);

    assert.match((await endOf(runner, id)) ?? '', /^(cancelled|succeeded)$/);
  });

  check('cancelling after the end is fine and changes nothing', async (runner) => {
    const id = await runner.trigger(requestFor(changes.succeeds));
    const end = (await pollToEnd(runner, id)).at(-1);

    await runner.cancel(id);
    await harness.letTimePass(harness.endsWithinMs);

    assert.deepEqual(await runner.status(id), end);
  });

  if (unknownBuild === null) {
    check('it knows every build, as its harness declares', async (runner) => {
      const id = buildId('contract-nobody-triggered-this');

      assert.ok(buildStatuses.includes((await runner.status(id)).status));
      await runner.cancel(id);
    });
  } else {
    check('an unknown build is a BuildUnknownError that names it', async (runner) => {
      const isUnknown = (error: unknown): boolean =>
        error instanceof BuildUnknownError && error.message.includes(unknownBuild.id);

      await assert.rejects(runner.status(unknownBuild), isUnknown);
      await assert.rejects(runner.cancel(unknownBuild), isUnknown);
    });
  }
}

/** Often enough to see a build in between, seldom enough for a runner that costs something. */
const pollsToEnd = 40;

function requestFor(change: Change): TriggerRequest {
  return {
    queueName: 'contract',
    base: [],
    head: [change],
    metadata: { purpose: 'contract test' },
    idempotencyKey: `contract-${crypto.randomUUID()}`,
  };
}
