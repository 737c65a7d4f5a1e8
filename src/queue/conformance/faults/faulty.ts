import { z } from 'zod';
import { type Clock, sleep, systemClock } from '../../clock.js';
import type {
  Classification,
  Driver,
  DriverHost,
  DriverSubscription,
  Send,
  SendResult,
  SubscribeOptions,
} from '../../driver.js';
import { QueueError } from '../../errors.js';
import { readOptions } from '../../options.js';
import { Chances, type Injected } from './chances.js';
import { FaultySubscription } from './faulty-subscription.js';
import { failureOf, InjectedFault, lostAnswerOf } from './injected-fault.js';
import { Path } from './path.js';
import { type FaultPlan, planSchema } from './plan.js';

export interface FaultyOptions {
  /** What `delay` waits on. Default: the driver's own clock, else the machine's. */
  readonly clock?: Clock | undefined;
  /** Breaks the connection; needed by plans that `cut`. For a memory driver: `() => driver.cut()`. */
  readonly cut?: (() => void | Promise<void>) | undefined;
}

export interface FaultyDriver extends Driver {
  /** Everything that was injected so far, oldest first: a test that saw no fault has proved nothing. */
  readonly injected: readonly Injected[];
  /** From now on nothing is injected. What is being delayed stays so. */
  calm(): void;
}

const optionsSchema = z.strictObject({
  clock: z
    .custom<Clock>((value) => typeof value === 'object' && value !== null && 'schedule' in value, 'must be a Clock')
    .optional(),
  cut: z
    .custom<NonNullable<FaultyOptions['cut']>>((value) => typeof value === 'function', 'must be a function')
    .optional(),
});

/**
 * A driver that fails as planned: for trying out what you build on a queue, on any backend, without breaking
 * one. It wraps a driver that is not open yet, and is opened in its place. Everything that the plan does not
 * strike goes to the driver unchanged, `admin` always does.
 *
 * What it throws is an `InjectedFault`, which its `classify` knows; all else is left to the driver's. The
 * portable layer repeats what is retryable, so a plan that fails everything for good keeps a publish busy until
 * its deadline.
 *
 * Throws `invalid` for a plan that makes no sense: unknown names, a probability outside 0 to 1, a `cut` without
 * something to cut with.
 */
export function faulty(driver: Driver, plan: FaultPlan, options: FaultyOptions = {}): FaultyDriver {
  const operation = `make ${JSON.stringify(driver.name)} faulty`;
  const { seed, faults } = readOptions(operation, planSchema, plan);
  const { clock, cut = null } = readOptions(operation, optionsSchema, options);
  const at = faults.findIndex(({ fault }) => fault === 'cut');
  if (cut === null && at >= 0) {
    throw new QueueError(`cannot ${operation}: faults.${at}: there is nothing to cut with; give the option cut`, {
      code: 'invalid',
    });
  }
  return new PlannedDriver(driver, clock ?? driver.clock ?? systemClock, seed, faults, cut);
}

class PlannedDriver implements FaultyDriver {
  readonly #driver: Driver;
  readonly #chances: Chances;
  readonly #path: Path;
  readonly #wait: (ms: number) => Promise<void>;
  readonly #closing = new AbortController();

  constructor(
    driver: Driver,
    clock: Clock,
    seed: number,
    faults: FaultPlan['faults'],
    cut: FaultyOptions['cut'] | null,
  ) {
    this.#driver = driver;
    this.#chances = new Chances(clock, seed, faults);
    // Whoever is being held up when the driver is closed goes on at once, and is refused by it.
    this.#wait = (ms) => sleep(clock, ms, this.#closing.signal);
    this.#path = new Path(this.#chances, this.#wait, async () => cut?.());
  }

  get injected(): readonly Injected[] {
    return this.#chances.injected;
  }

  get name(): string {
    return this.#driver.name;
  }

  get capabilities(): Driver['capabilities'] {
    return this.#driver.capabilities;
  }

  get clock(): Clock | null {
    return this.#driver.clock;
  }

  get admin(): Driver['admin'] {
    return this.#driver.admin;
  }

  calm(): void {
    this.#chances.calm();
  }

  open(host: DriverHost): Promise<void> {
    return this.#path.pass({ verb: 'open' }, () => this.#driver.open(host));
  }

  declare(...args: Parameters<Driver['declare']>): ReturnType<Driver['declare']> {
    return this.#path.pass({ verb: 'declare' }, () => this.#driver.declare(...args));
  }

  send(batch: readonly Send[], within?: unknown): Promise<readonly SendResult[]> {
    const call = { verb: 'send', entries: batch, within: within !== undefined } as const;
    return this.#path.pass(call, async () => {
      const failures = this.#failedEntries(batch, call.within);
      const passed = batch.filter((_, index) => failures[index] === null);
      const stored = passed.length === 0 ? [] : await this.#driver.send(passed, within);
      await this.#duplicate(passed, stored, within);
      if (this.#chances.strike('lose-answer', call).length > 0) throw lostAnswerOf('send');
      let next = 0;
      return failures.map((error) => (error === null ? (stored[next++] as SendResult) : { status: 'failed', error }));
    });
  }

  subscribe(options: SubscribeOptions): Promise<DriverSubscription> {
    const { topic, group } = options;
    return this.#path.pass({ verb: 'subscribe', topic, group }, async () => {
      const subscription = await this.#driver.subscribe(options);
      return new FaultySubscription(subscription, options, this.#chances, this.#path, this.#wait);
    });
  }

  classify(error: unknown): Classification {
    return error instanceof InjectedFault ? error.classification : this.#driver.classify(error);
  }

  health(): ReturnType<Driver['health']> {
    return this.#driver.health();
  }

  close(): Promise<void> {
    this.#closing.abort();
    return this.#driver.close();
  }

  /** Per entry why it fails, or null. What comes after a failed one of its key must not be stored before it. */
  #failedEntries(batch: readonly Send[], within: boolean): readonly (InjectedFault | null)[] {
    const stopped = new Set<string>();
    return batch.map((entry) => {
      const { key, topic } = entry.message;
      const line = key === null ? null : JSON.stringify([topic, key]);
      const [fault] = this.#chances.strike('fail-entry', { verb: 'send', entries: [entry], within });
      if (fault !== undefined && line !== null) stopped.add(line);
      if (fault !== undefined) return failureOf('fail-entry', 'send', fault);
      return line !== null && stopped.has(line) ? failureOf('fail-entry', 'send') : null;
    });
  }

  async #duplicate(sent: readonly Send[], results: readonly SendResult[], within: unknown): Promise<void> {
    const twice = sent.filter(
      (entry, index) =>
        results[index]?.status === 'stored' &&
        this.#chances.strike('duplicate', { verb: 'send', entries: [entry], within: within !== undefined }).length > 0,
    );
    if (twice.length === 0) return;
    await this.#driver.send(
      twice.map((entry) => ({ ...entry, nonce: `${entry.nonce}/again` })),
      within,
    );
  }
}
