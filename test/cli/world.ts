import { randomUUID } from 'node:crypto';
import type { Driver } from 'signalbox';
import type { CliIo, StopSignal } from '../../src/cli/io.js';
import { run } from '../../src/cli/run.js';
import { driverOf } from '../../src/open-queue.js';
import { type Clock, systemClock } from '../../src/queue/index.js';

export interface WorldOptions {
  readonly env?: Record<string, string>;
  /** Where a file of settings is looked for. Default: one that has none. */
  readonly folder?: string;
  /** Columns of the terminal that stdout and stderr are; left out: they are none. */
  readonly terminal?: number;
  readonly clock?: Clock;
  readonly connect?: (url: string) => Promise<Driver>;
}

/** A command line in this process, and what came out of it. */
export class World {
  stdout = '';
  stderr = '';
  readonly forced: number[] = [];
  readonly #listeners = new Set<(signal: StopSignal) => void>();
  readonly #io: CliIo;

  constructor({ env = {}, folder = '/nowhere', terminal, clock = systemClock, connect = driverOf }: WorldOptions = {}) {
    const tty = terminal === undefined ? {} : { isTTY: true, columns: terminal };
    this.#io = {
      stdout: {
        ...tty,
        write: (text) => {
          this.stdout += text;
        },
      },
      stderr: {
        ...tty,
        write: (text) => {
          this.stderr += text;
        },
      },
      readerGone: new AbortController().signal,
      env,
      folder,
      clock,
      connect,
      onSignal: (listener) => {
        this.#listeners.add(listener);
        return () => this.#listeners.delete(listener);
      },
      forceExit: (code) => this.forced.push(code),
    };
  }

  run(...argv: readonly string[]): Promise<number> {
    return run(argv, this.#io);
  }

  signal(signal: StopSignal): void {
    for (const listener of this.#listeners) listener(signal);
  }

  get listening(): number {
    return this.#listeners.size;
  }

  get json(): unknown {
    return JSON.parse(this.stdout);
  }

  /** What was logged, line by line. */
  get logged(): readonly Record<string, unknown>[] {
    return this.stderr
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  /** Resolves once stderr has the text. */
  async told(text: string): Promise<void> {
    while (!this.stderr.includes(text)) await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Runs one command in a world of its own. */
export async function cli(argv: readonly string[], options: WorldOptions = {}) {
  const world = new World(options);
  const code = await world.run(...argv);
  return { code, stdout: world.stdout, stderr: world.stderr, world };
}

/** The URL of a store that no other test uses. */
export function newUrl(): string {
  return `memory:${randomUUID()}`;
}

/** The memory backend, which says of itself that it outlives the process: what a server is to a command. */
export async function connectDurable(url: string): Promise<Driver> {
  const driver = await driverOf(url);
  return new Proxy(driver, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (name === 'capabilities') return { ...target.capabilities, durable: true };
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: it is what colours are made of
export const escapeSequence = /\u001b\[/;
