import { type ChildProcess, fork } from 'node:child_process';
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

/** What a call over the channel comes to. */
interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** A process that carries out what drivers in this one are asked. */
class Other {
  readonly #child: ChildProcess = fork(compiledProgram(program), [], { serialization: 'advanced' });
  readonly #pending = new Map<number, Pending>();
  #calls = 0;
  #dead = false;

  constructor() {
    this.#child.on('message', (message: { call: number; value?: unknown; error?: RemoteError }) => {
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

  kill9(): void {
    this.#dead = true;
    this.#pending.clear();
    this.#child.kill('SIGKILL');
  }
}

/** Processes with a driver each, as many as are needed at once. One whose driver was closed has the next one. */
export class OtherProcesses {
  readonly #options: SqliteOptions;
  readonly #local: (options: SqliteOptions) => Driver;
  readonly #idle: Other[] = [];
  readonly #all = new Set<Other>();
  readonly #of = new WeakMap<Driver, Other>();

  /** `local` sends what is in a transaction of this process: no other can take part in it. */
  constructor(options: SqliteOptions, local: (options: SqliteOptions) => Driver) {
    this.#options = options;
    this.#local = local;
  }

  client(): Driver {
    const other = this.#idle.pop() ?? new Other();
    this.#all.add(other);
    const driver = remoteDriver(other, this.#options, this.#local, () => this.#idle.push(other));
    this.#of.set(driver, other);
    return driver;
  }

  kill9(driver: Driver): void {
    this.#of.get(driver)?.kill9();
  }

  close(): void {
    for (const other of this.#all) other.kill9();
  }
}

function remoteDriver(
  other: Other,
  options: SqliteOptions,
  local: (options: SqliteOptions) => Driver,
  closed: () => void,
): Driver {
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
      const own = local(options);
      await own.open({ logger: { info() {}, warn() {} }, emit() {} });
      return own.send(batch, within).finally(() => own.close());
    },
    subscribe: async ({ topic, group, prefetch, consumer }) => {
      const { subscription, leaseMs } = await ask<{ subscription: number; leaseMs: number }>('subscribe', {
        ...{ topic, group, prefetch, consumer },
      });
      return remoteSubscription(other, subscription, leaseMs);
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
