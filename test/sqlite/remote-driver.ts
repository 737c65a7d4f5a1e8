import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type {
  Capabilities,
  Driver,
  DriverAdmin,
  DriverSubscription,
  Received,
  SendResult,
  SettleResult,
} from '../../src/queue/driver.js';
import { type QueueErrorCode, Refusal } from '../../src/queue/driver.js';
import { capabilitiesWith } from '../../src/queue/sqlite/capabilities.js';
import type { SqliteOptions } from '../../src/queue/sqlite/index.js';
import { classifySqlite } from '../../src/sql/sqlite-errors.js';
import { compiledProgram } from '../compiled-sources.js';
import type { RemoteError } from './programs/remote-driver.js';

const program = 'test/sqlite/programs/remote-driver.ts';

type Told =
  | { readonly call: number; readonly value?: unknown; readonly error?: RemoteError }
  | { readonly reader: number; readonly paused: boolean };

/** What a call over the channel comes to. */
interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** A process that carries out what drivers in this one are asked. */
class Other {
  readonly #child: ChildProcess = fork(compiledProgram(program), [], { serialization: 'advanced' });
  readonly onPaused = new Map<number, (paused: boolean) => void>();
  readonly #pending = new Map<number, Pending>();
  readonly #ended: Promise<unknown> = once(this.#child, 'exit');
  #calls = 0;
  #dead = false;

  constructor() {
    this.#child.on('message', (message: Told) => {
      if ('reader' in message) {
        this.onPaused.get(message.reader)?.(message.paused);
        return;
      }
      const pending = this.#pending.get(message.call);
      this.#pending.delete(message.call);
      if (message.error === undefined) pending?.resolve(message.value);
      else pending?.reject(asThrown(message.error));
    });
  }

  /** Answers the number of the call with its answer, for who may want to abort it. A process that was killed never answers. */
  call(
    verb: string,
    args: readonly unknown[],
    subscription = 0,
  ): { readonly number: number; readonly answer: Promise<unknown> } {
    const number = ++this.#calls;
    const answer = new Promise<unknown>((resolve, reject) => {
      if (this.#dead) return;
      this.#pending.set(number, { resolve, reject });
      this.#child.send({ call: number, verb, subscription, args });
    });
    return { number, answer };
  }

  abort(number: number): void {
    if (!this.#dead) this.#child.send({ abort: number });
  }

  /** Resolves when all that it said before has been heard. */
  async ping(): Promise<void> {
    if (!this.#dead) await Promise.race([this.call('ping', []).answer, this.#ended]);
  }

  kill9(): void {
    this.#dead = true;
    this.#pending.clear();
    this.#child.kill('SIGKILL');
  }
}

/** Processes with a driver each, as many as are needed at once. One whose driver was closed has the next one. */
export class OtherProcesses {
  readonly #options: SqliteOptions;
  readonly #make: (options: SqliteOptions) => Driver;
  #local: Promise<Driver> | null = null;
  readonly #idle: Other[] = [];
  readonly #all = new Set<Other>();
  readonly #of = new WeakMap<Driver, Other>();

  constructor(options: SqliteOptions, make: (options: SqliteOptions) => Driver) {
    this.#options = options;
    this.#make = make;
  }

  /**
   * One of this process, which sends what is in a transaction here: no other can take part in it. To be there before there is such a
   * transaction, as opening and closing wait for it to end.
   */
  local(): Promise<Driver> {
    this.#local ??= (async () => {
      const driver = this.#make(this.#options);
      await driver.open({ logger: { info() {}, warn() {} }, emit() {} });
      return driver;
    })();
    return this.#local;
  }

  client(): Driver {
    const other = this.#idle.pop() ?? new Other();
    this.#all.add(other);
    const driver = remoteDriver(other, {
      options: this.#options,
      local: () => this.local(),
      closed: () => this.#idle.push(other),
      allHeard: async () => {
        await Promise.all([...this.#all].map((each) => each.ping()));
      },
    });
    this.#of.set(driver, other);
    return driver;
  }

  kill9(driver: Driver): void {
    this.#of.get(driver)?.kill9();
  }

  async close(): Promise<void> {
    for (const other of this.#all) other.kill9();
    await (await this.#local)?.close();
  }
}

interface Remote {
  readonly options: SqliteOptions;
  readonly local: () => Promise<Driver>;
  readonly closed: () => void;
  /** Resolves when what any process has said until now was heard: two channels have no order. */
  readonly allHeard: () => Promise<void>;
}

let readers = 0;

function remoteDriver(other: Other, { options, local, closed, allHeard }: Remote): Driver {
  const made = other.call('make', [options]).answer;
  const ask = async <T>(verb: string, ...args: readonly unknown[]): Promise<T> => {
    await made;
    return (await other.call(verb, args).answer) as T;
  };
  const capabilities: Capabilities = capabilitiesWith(options.leaseMs ?? 30_000);
  let connected = false;
  let closing: Promise<void> | null = null;
  const admin =
    (verb: keyof DriverAdmin) =>
    (...args: readonly unknown[]) =>
      ask(`admin.${verb}`, ...args);
  return {
    name: 'sqlite',
    capabilities,
    clock: null,
    open: async () => {
      await ask('open');
      connected = true;
    },
    declare: (topology, how) => ask('declare', topology, how),
    send: async (batch, within) => {
      if (within === undefined) return asResults<SendResult>(await ask('send', batch));
      return (await local()).send(batch, within);
    },
    subscribe: async ({ topic, group, prefetch, consumer, onPaused }) => {
      const reader = ++readers;
      if (onPaused !== undefined) other.onPaused.set(reader, onPaused);
      const leaseMs = await ask<number>('subscribe', { topic, group, prefetch, consumer }, reader);
      return remoteSubscription(other, reader, leaseMs);
    },
    classify: classifySqlite,
    admin: {
      topics: admin('topics'),
      addGroup: admin('addGroup'),
      removeGroup: admin('removeGroup'),
      depth: admin('depth'),
      letters: admin('letters'),
      redrive: admin('redrive'),
      purge: admin('purge'),
      pause: (topic: string, group: string) => ask('admin.pause', topic, group).then(allHeard),
      resume: admin('resume'),
    } as unknown as DriverAdmin,
    health: () => ({ connected, blocked: null }),
    close: () => {
      closing ??= ask<void>('close').then(() => {
        connected = false;
        closed();
      });
      return closing;
    },
  };
}

function remoteSubscription(other: Other, subscription: number, leaseMs: number): DriverSubscription {
  const numbers = new WeakMap<object, number>();
  const ask = <T>(verb: string, ...args: readonly unknown[]) =>
    other.call(verb, args, subscription).answer as Promise<T>;
  const numberOf = (receipt: object): number => numbers.get(receipt) ?? 0;
  return {
    async receive(max, waitMs, signal) {
      const { number, answer } = other.call('receive', [max, waitMs, signal.aborted], subscription);
      const abort = (): void => other.abort(number);
      signal.addEventListener('abort', abort, { once: true });
      try {
        return ((await answer) as (Omit<Received, 'receipt'> & { receipt: number })[]).map((each) => {
          const receipt = {};
          numbers.set(receipt, each.receipt);
          return { ...each, receipt };
        });
      } finally {
        signal.removeEventListener('abort', abort);
      }
    },
    settle: async (batch) =>
      asResults<SettleResult>(
        await ask(
          'settle',
          batch.map((each) => ({ ...each, receipt: numberOf(each.receipt) })),
        ),
      ),
    lease: { ms: leaseMs, extend: (receipts, ms) => ask('extend', receipts.map(numberOf), ms) },
    close: () => ask('leave'),
  };
}

function asResults<T>(results: readonly { readonly error?: RemoteError }[]): readonly T[] {
  return results.map((each) => (each.error === undefined ? each : { ...each, error: asThrown(each.error) })) as T[];
}

function asThrown(error: RemoteError): Error {
  if (error.kind === 'refusal') return new Refusal(error.code as QueueErrorCode, error.message, error.remedy);
  return Object.assign(new Error(error.message), { code: error.code });
}
