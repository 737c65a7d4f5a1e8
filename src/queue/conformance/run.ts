import type { Capabilities } from '../driver.js';
import { silentLogger } from '../logger.js';
import type { Bench } from './bench.js';
import type { Case } from './case.js';
import { allCases } from './cases.js';
import { DriverBench } from './driver-bench.js';
import type { Harness } from './harness.js';
import { obstacleTo } from './needs.js';
import { QueueBench } from './queue-bench.js';
import { straysOf } from './strays.js';
import { Time } from './time.js';
import { Turns } from './turns.js';

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
  /** Called as each case ends; the report has them in their order, whichever ended first. */
  readonly onResult?: ((result: CaseResult, of: Case) => void) | undefined;
  /**
   * How many cases run at once where time is real; no two share a topic or a client. Cases that restart the backend
   * run alone, at the end. On a virtual clock, which all share, cases run one after the other. Default 8.
   */
  readonly concurrency?: number | undefined;
}

/** Cases wait more than they work: on two cores, eight of them at once took a sixth of the time of one after the other. */
const defaultConcurrency = 8;

/** Real time after which a case that has neither passed nor failed has failed: it waits for something that never comes. */
const limitMs = 120_000;

/** The same where time is virtual, in turns of the event loop: a busy machine takes no case down. The longest case takes 850. */
const limitTurns = 20_000;

/** Real time within which what a case opened must be closed: it has ended already, and others wait. */
const closeLimitMs = 30_000;

/**
 * Runs cases and answers what became of each, promise by promise. Rejects only where nothing can be run at all, or where
 * all passed and yet something was rejected that nobody waited for.
 */
export async function runConformance(
  harness: Harness,
  { only, onResult, concurrency }: RunOptions = {},
): Promise<ConformanceReport> {
  const cases = chosen(only);
  const turns = turnsFor(harness, concurrency);
  try {
    const capabilities = await capabilitiesOf(harness);
    const results = new Map<Case, CaseResult>();
    const strays = await straysOf(() =>
      Promise.all(
        aloneLast(cases).map(async (each) => {
          const result = await turns.take(runsAlone(each), () => resultOf(each, harness, capabilities));
          results.set(each, result);
          onResult?.(result, each);
        }),
      ),
    );
    checkStrays(strays, [...results.values()]);
    const version = typeof harness.version === 'string' ? harness.version : await harness.version();
    return { backend: harness.backend, version, capabilities, promises: byPromise(cases, results) };
  } finally {
    await harness.close?.();
  }
}

function checkStrays(strays: readonly unknown[], results: readonly CaseResult[]): void {
  const [cause] = strays;
  if (strays.length === 0 || results.some(({ status }) => status === 'failed')) return;
  const what = `something was rejected that nobody waited for, which ends a program: ${String(cause)}`;
  throw new Error(`every case has passed, but ${what}`, { cause });
}

/** Who may run when, for this harness. */
export function turnsFor({ time }: Harness, concurrency = defaultConcurrency): Turns {
  if (!Number.isInteger(concurrency) || concurrency < 1) {
    throw new RangeError(`concurrency must be a whole number from 1, not ${String(concurrency)}`);
  }
  return new Turns(time.kind === 'virtual' ? 1 : concurrency);
}

/** Whether it disturbs every other client of the backend. */
export function runsAlone({ needs }: Case): boolean {
  return needs.includes('restartBackend');
}

/** The same cases, those that run alone at the end. */
export function aloneLast(cases: readonly Case[]): readonly Case[] {
  return [...cases.filter((each) => !runsAlone(each)), ...cases.filter(runsAlone)];
}

function byPromise(cases: readonly Case[], results: ReadonlyMap<Case, CaseResult>): readonly PromiseResult[] {
  const promises = new Map<string, PromiseResult & { readonly cases: CaseResult[] }>();
  for (const each of cases) {
    const { number, promise } = each;
    const of = promises.get(promise) ?? { number, promise, cases: [] };
    promises.set(promise, of);
    of.cases.push(results.get(each) as CaseResult);
  }
  return [...promises.values()];
}

/** Runs one case; rejects when it fails. */
export async function runCase(each: Case, harness: Harness, capabilities: Capabilities): Promise<void> {
  const opening = benchFor(each, harness, capabilities);
  const { bench, run } = await bounded(harness, limitMs, `${each.id}: opening a client`, opening);
  try {
    await bounded(harness, limitMs, each.id, run());
  } finally {
    // A client that does not close must not keep the other cases from being run.
    await bounded(harness, closeLimitMs, `${each.id}: closing what it opened`, bench.end()).catch(() => {});
  }
}

/** What the backend can do, known once a client has been opened. */
export async function capabilitiesOf(harness: Harness): Promise<Capabilities> {
  const time = new Time(harness.time);
  const verb = async <T>(name: string, call: Promise<T>): Promise<T> => {
    const ended = time.until(call).catch((cause: unknown) => {
      throw new Error(`cannot try ${harness.backend}: ${name} of the first client failed: ${String(cause)}`, { cause });
    });
    return bounded(harness, limitMs, `cannot try ${harness.backend}: ${name} of the first client`, ended);
  };
  const driver = await verb('the making', Promise.resolve(harness.client()));
  await verb('open', driver.open({ logger: silentLogger, emit: () => {} }));
  await verb('close', driver.close());
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
function bounded<T>({ time }: Harness, ms: number, what: string, work: Promise<T>): Promise<T> {
  return time.kind === 'virtual' ? withinTurns(limitTurns, what, work) : within(ms * time.timeFactor, what, work);
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
