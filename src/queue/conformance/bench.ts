import type { Capabilities, Driver, DriverEvent, DriverHost } from '../driver.js';
import type { Logger } from '../logger.js';
import type { Harness } from './harness.js';
import { Time } from './time.js';

/** What was logged, kept so that a case can look for what must, or must not, be in there. */
export interface LogLine {
  readonly level: 'info' | 'warn';
  readonly fields: Readonly<Record<string, unknown>>;
  readonly message: string;
}

const run = Math.random().toString(36).slice(2, 8);
let names = 0;

/** What every case has: time, names that nobody else uses, and clients that are closed when it ends. */
export class Bench {
  readonly harness: Harness;
  readonly capabilities: Capabilities;
  readonly time: Time;
  readonly log: LogLine[] = [];
  readonly #atEnd: (() => Promise<unknown>)[] = [];
  readonly #killed = new Set<Driver>();

  constructor(harness: Harness, capabilities: Capabilities) {
    this.harness = harness;
    this.capabilities = capabilities;
    this.time = new Time(harness.time, capabilities);
  }

  /** A name that no other case, and no other run, has used. */
  name(of: string): string {
    return `${this.harness.namePrefix ?? 'conformance'}.${run}.${++names}.${of}`;
  }

  readonly logger: Logger = {
    info: (fields, message) => this.log.push({ level: 'info', fields, message }),
    warn: (fields, message) => this.log.push({ level: 'warn', fields, message }),
  };

  /** A new client, opened; closed when the case ends. */
  async open(driver: Driver | Promise<Driver> = Promise.resolve(this.harness.client()), events: DriverEvent[] = []) {
    const opened = await driver;
    const host: DriverHost = { logger: this.logger, emit: (event) => events.push(event) };
    await this.time.until(opened.open(host));
    this.atEnd(() => this.#closeUnlessKilled(opened));
    return opened;
  }

  /** The process of this client is gone, without a word. */
  async kill(driver: Driver): Promise<void> {
    this.#killed.add(driver);
    await this.harness.killSubscriber?.(driver);
  }

  async cut(driver: Driver): Promise<void> {
    await this.harness.cutConnections?.(driver);
  }

  /** Within this time the backend has noticed that a holder is gone, and what it held is free. */
  get recoveryMs(): number {
    return (this.capabilities.lease?.ms ?? 0) + 10_000;
  }

  wasKilled(driver: Driver): boolean {
    return this.#killed.has(driver);
  }

  /** Done when the case has ended, last thing first, whether it passed or failed. */
  atEnd(action: () => Promise<unknown>): void {
    this.#atEnd.push(action);
  }

  async end(): Promise<void> {
    for (const action of this.#atEnd.splice(0).reverse()) await action().catch(() => {});
  }

  async #closeUnlessKilled(driver: Driver): Promise<void> {
    if (!this.#killed.has(driver)) await this.time.until(driver.close());
  }
}

/** `count` of something, by number from 0. */
export function many<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index));
}

/** The same values in any order come out the same. */
export function sorted(values: readonly (string | null)[]): string[] {
  return values.map(String).sort();
}

/** A promise that the case keeps when it likes. */
export interface Gate {
  readonly opened: Promise<void>;
  open(): void;
}

export function gate(): Gate {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open: () => open() };
}

/** A `receive` to which nothing comes, ended as the driver interface demands. */
export function untilAborted(signal: AbortSignal): Promise<readonly never[]> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve([]);
    signal.addEventListener('abort', () => resolve([]), { once: true });
  });
}

/** What never happens: a handler that hangs, an answer that was lost. */
export function never(): Promise<never> {
  return new Promise(() => {});
}
