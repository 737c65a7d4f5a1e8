import { memory } from 'signalbox/memory';
import type { Driver, DriverSubscription, Received, Send, SendResult, Settlement } from '../src/queue/driver.js';

/** How the calls of a queue arrived at its driver. */
export interface Arrivals {
  calls: number;
  entries: number;
}

/** Stores nothing, hands out `message` as often as it is asked, and settles everything. What remains is the portable layer. */
export class IdleDriver {
  readonly driver: Driver;
  readonly sends: Arrivals = { calls: 0, entries: 0 };
  readonly settles: Arrivals = { calls: 0, entries: 0 };
  /** What `receive` hands out; nothing while null. */
  message: Send['message'] | null = null;
  readonly #answerMs: number;

  /** Each send and each settle is answered after `answerMs`, or a turn of the event loop: one that never lets go starves whoever else wants to publish. */
  constructor(answerMs: number) {
    this.#answerMs = answerMs;
    const inner = memory();
    this.driver = {
      name: 'idle',
      capabilities: inner.capabilities,
      clock: null,
      admin: inner.admin,
      open: (host) => inner.open(host),
      declare: (topology, options) => inner.declare(topology, options),
      send: (batch) => this.#send(batch),
      subscribe: async () => this.#subscription(),
      classify: (error) => inner.classify(error),
      health: () => inner.health(),
      close: () => inner.close(),
    };
  }

  async #send(batch: readonly Send[]): Promise<readonly SendResult[]> {
    count(this.sends, batch);
    await past(this.#answerMs);
    this.message ??= batch[0]?.message ?? null;
    return batch.map(() => stored);
  }

  #subscription(): DriverSubscription {
    return {
      lease: { ms: 30_000, extend: async (receipts) => receipts.map(() => 'done') },
      receive: (max, waitMs, signal) => this.#receive(max, waitMs, signal),
      settle: (batch) => this.#settle(batch),
      close: async () => {},
    };
  }

  async #receive(max: number, waitMs: number, signal: AbortSignal): Promise<readonly Received[]> {
    const { message } = this;
    await past(0);
    if (message === null) {
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, waitMs);
        signal.addEventListener('abort', () => resolve(clearTimeout(timer)), { once: true });
      });
      return [];
    }
    return Array.from({ length: max }, () => ({ receipt: {}, message, counts, redeliveries: 0 }));
  }

  async #settle(batch: readonly Settlement[]): Promise<readonly { status: 'done' }[]> {
    count(this.settles, batch);
    await past(this.#answerMs);
    return batch.map(() => done);
  }
}

const stored = { status: 'stored', groups: 1 } as const;
const done = { status: 'done' } as const;
const counts = { attempt: 1, postpones: 0, firstFailedAt: null };

function count(arrivals: Arrivals, batch: readonly unknown[]): void {
  arrivals.calls++;
  arrivals.entries += batch.length;
}

/** Finer than `setTimeout`, which knows whole milliseconds: goes round the event loop, once at least, until it is time. */
async function past(ms: number): Promise<void> {
  const endsAt = performance.now() + ms;
  do await new Promise((resolve) => setImmediate(resolve));
  while (performance.now() < endsAt);
}
