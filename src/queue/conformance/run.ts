import type { Capabilities } from '../driver.js';
import { silentLogger } from '../logger.js';
import type { Bench } from './bench.js';
import type { Case } from './case.js';
import { allCases } from './cases.js';
import { DriverBench } from './driver-bench.js';
import type { Harness } from './harness.js';
import { obstacleTo } from './needs.js';
import { QueueBench } from './queue-bench.js';
import { Time } from './time.js';

export interface CaseResult {
  readonly id: string;
  readonly layer: 'driver' | 'queue';
  /**
   * `not-applicable`: the backend declares that it cannot, and a sister case proves the refusal, if there is
   * one. `needs-faults`: not exercised, because the harness cannot do what the case needs; it proves nothing.
   */
  readonly status: 'passed' | 'failed' | 'not-applicable' | 'needs-faults';
  /** Why it was not run; null when it was. */
  readonly reason: string | null;
  readonly error: unknown;
  readonly ms: number;
}

export interface PromiseResult {
  readonly number: string;
  readonly promise: string;
  readonly cases: readonly CaseResult[];
}

export interface ConformanceReport {
  readonly backend: string;
  readonly version: string;
  readonly capabilities: Capabilities;
  readonly promises: readonly PromiseResult[];
}

export interface RunOptions {
  /** Ids of the cases to run; default: all. An unknown one is an error. */
  readonly only?: readonly string[] | undefined;
  readonly onResult?: ((result: CaseResult, of: Case) => void) | undefined;
}

/** Real time after which a case that has neither passed nor failed has failed: it waits for something that never comes. */
const limitMs = 120_000;

/** The same where time is virtual, in turns of the event loop: a busy machine takes no case down. The longest case takes 850. */
const limitTurns = 20_000;

/** Runs cases one after the other and answers what became of each, promise by promise. Rejects only where nothing can be run at all. */
export async function runConformance(
  harness: Harness,
  { only, onResult }: RunOptions = {},
): Promise<ConformanceReport> {
  const cases = chosen(only);
  const capabilities = await capabilitiesOf(harness);
  const promises = new Map<string, { number: string; promise: string; cases: CaseResult[] }>();
  try {
    for (const each of cases) {
      const result = await resultOf(each, harness, capabilities);
      const { number, promise } = each;
      const of = promises.get(promise) ?? { number, promise, cases: [] };
      promises.set(promise, of);
      of.cases.push(result);
      onResult?.(result, each);
    }
  } finally {
    await harness.close?.();
  }
  const version = typeof harness.version === 'string' ? harness.version : await harness.version();
  return { backend: harness.backend, version, capabilities, promises: [...promises.values()] };
}

/** Runs one case; rejects when it fails. */
export async function runCase(each: Case, harness: Harness, capabilities: Capabilities): Promise<void> {
  const bench = await benchFor(each, harness, capabilities);
  try {
    await bounded(harness, each.id, bench.run());
  } finally {
    // A client that does not close must not keep the other cases from being run.
    await bounded(harness, `${each.id}: closing what it opened`, bench.bench.end()).catch(() => {});
  }
}

/** What the backend can do, known once a client has been opened. */
export async function capabilitiesOf(harness: Harness): Promise<Capabilities> {
  const driver = await harness.client();
  const time = new Time(harness.time);
  await time.until(driver.open({ logger: silentLogger, emit: () => {} }));
  await time.until(driver.close());
  return driver.capabilities;
}

async function resultOf(each: Case, harness: Harness, capabilities: Capabilities): Promise<CaseResult> {
  const { id, layer } = each;
  const obstacle = obstacleTo(each.needs, capabilities, harness);
  if (obstacle !== null) return { id, layer, ...obstacle, error: undefined, ms: 0 };
  const startedAt = performance.now();
  const result = (status: 'passed' | 'failed', error?: unknown): CaseResult => ({
    id,
    layer,
    status,
    reason: null,
    error,
    ms: performance.now() - startedAt,
  });
  try {
    await runCase(each, harness, capabilities);
    return result('passed');
  } catch (error) {
    return result('failed', error);
  }
}

async function benchFor(
  each: Case,
  harness: Harness,
  capabilities: Capabilities,
): Promise<{ readonly bench: Bench; readonly run: () => Promise<void> }> {
  if (each.layer === 'driver') {
    const bench = await DriverBench.make(harness, capabilities);
    return { bench, run: () => each.run(bench) };
  }
  const bench = new QueueBench(harness, capabilities);
  return { bench, run: () => each.run(bench) };
}

function chosen(only: readonly string[] | undefined): readonly Case[] {
  if (only === undefined) return allCases;
  const known = new Set(allCases.map(({ id }) => id));
  const unknown = only.filter((id) => !known.has(id));
  if (unknown.length > 0) throw new RangeError(`there is no case ${unknown.map((id) => `"${id}"`).join(', ')}`);
  return allCases.filter(({ id }) => only.includes(id));
}

/** A watchdog, not a wait: fails when `work` has neither passed nor failed within the limit. */
function bounded<T>({ time }: Harness, what: string, work: Promise<T>): Promise<T> {
  return time.kind === 'virtual' ? withinTurns(limitTurns, what, work) : within(limitMs * time.timeFactor, what, work);
}

function withinTurns<T>(turns: number, what: string, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    let left = turns;
    const next = (): void => {
      if (left-- > 0) turn = setImmediate(next);
      else reject(new Error(`${what}: neither passed nor failed within ${turns} turns of the event loop`));
    };
    let turn = setImmediate(next);
    work.then(resolve, reject).finally(() => clearImmediate(turn));
  });
}

/** The suite's one look at real time. */
function within<T>(ms: number, what: string, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${what}: neither passed nor failed within ${ms} ms`)), ms);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
