import {
  type DriverLease,
  type DriverSubscription,
  type Receipt,
  type Received,
  Refusal,
  type Send,
  type Settlement,
  type SettleResult,
  type SubscribeOptions,
} from '../driver.js';
import type { Client } from './client.js';
import { cloneSend } from './clone.js';
import type { Group } from './group.js';
import { Reader } from './reader.js';

/** See `DriverSubscription`. Goes on when its group is removed and added again; in between, `receive` rejects with a `not-found` refusal. */
export class MemorySubscription implements DriverSubscription {
  readonly lease: DriverLease;
  readonly #client: Client;
  readonly #options: SubscribeOptions;
  readonly #onClosed: (subscription: MemorySubscription) => void;
  #reader: Reader;
  #group: Group;
  #closed = false;
  #paused = false;

  /** Throws a `not-found` refusal. */
  constructor(client: Client, options: SubscribeOptions, onClosed: (subscription: MemorySubscription) => void) {
    this.#client = client;
    this.#options = options;
    this.#onClosed = onClosed;
    this.lease = { ms: client.leaseMs, extend: (receipts, ms) => this.#extend(receipts, ms) };
    this.#group = client.store.group(options.topic, options.group);
    this.#reader = this.#newReader();
    this.#group.join(this.#reader);
  }

  receive(max: number, waitMs: number, signal: AbortSignal): Promise<readonly Received[]> {
    return this.#client.run(() => {
      if (this.#closed)
        throw new Refusal('closed', `subscription "${this.#options.consumer}" is closed`, 'subscribe again');
      this.#followGroup();
      if (signal.aborted) return [];
      const received = this.#group.take(this.#reader, max, this.#client.store.clock.now());
      if (received.length > 0 || waitMs <= 0) return received;
      return this.#group.wait(this.#reader, max, waitMs, signal);
    });
  }

  settle(batch: readonly Settlement[]): Promise<readonly SettleResult[]> {
    return this.#client.run(async () => {
      const { store } = this.#client;
      if (store.blockerOf(outboxesOf(batch), null) === null) return store.settle(batch);
      const kept = batch.map((settlement) =>
        settlement.kind === 'ack' ? { ...settlement, outbox: settlement.outbox.map(cloneSend) } : { ...settlement },
      );
      await this.#client.untilFree(outboxesOf(kept), null);
      return store.settle(kept);
    });
  }

  close(): Promise<void> {
    if (this.#closed && !this.#client.isKilled) return Promise.resolve();
    return this.#client.run(() => {
      this.leave('closed');
      this.serveOthers();
    });
  }

  /** Stops reading, at once. Others are served what was held only by `serveOthers`, when all who leave have left. */
  leave(gone: 'closed' | 'killed'): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#group.leave(this.#reader, gone);
    this.#onClosed(this);
  }

  /** What is held goes back, and what is waited for is waited for on the next connection. Answers the receipts that are lost. */
  breakOff(): readonly Receipt[] {
    return this.#group.takeBack(this.#reader);
  }

  tellLost(receipts: readonly Receipt[]): void {
    if (receipts.length > 0) this.#options.onLost(receipts);
  }

  serveOthers(): void {
    this.#group.serve(this.#client.store.clock.now());
  }

  #extend(receipts: readonly Receipt[], ms: number): Promise<readonly ('done' | 'lost')[]> {
    return this.#client.run(() => this.#client.store.extend(receipts, ms));
  }

  #newReader(): Reader {
    return new Reader(this.#client.leaseMs, (paused) => {
      if (paused === this.#paused || this.#client.isKilled) return;
      this.#paused = paused;
      this.#options.onPaused?.(paused);
    });
  }

  /** A group that was removed and added again is another one; its reader starts afresh. */
  #followGroup(): void {
    const group = this.#client.store.group(this.#options.topic, this.#options.group);
    if (group === this.#group) return;
    this.#group = group;
    this.#reader = this.#newReader();
    group.join(this.#reader);
  }
}

function outboxesOf(batch: readonly Settlement[]): readonly Send[] {
  return batch.flatMap((settlement) => (settlement.kind === 'ack' ? settlement.outbox : []));
}
