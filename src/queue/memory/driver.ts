import type {
  Capabilities,
  Classification,
  Clock,
  DeclareOptions,
  DeclareReport,
  Driver,
  DriverAdmin,
  DriverHealth,
  DriverHost,
  DriverSubscription,
  Send,
  SendResult,
  SubscribeOptions,
  Topology,
} from '../driver.js';
import { Refusal } from '../driver.js';
import { adminOf } from './admin.js';
import { capabilitiesWith } from './capabilities.js';
import { Client } from './client.js';
import { cloneSend } from './clone.js';
import type { Store } from './store.js';
import { MemorySubscription } from './subscription.js';
import { Transaction } from './transaction.js';

/** A driver whose connection and process can be made to fail, for those who test what is built on it. */
export interface MemoryDriver extends Driver {
  readonly clock: Clock;
  /**
   * Breaks this client's connection and makes it anew at once: what it holds goes back in its old place,
   * unanswered, its receipts are `lost` and each subscription's `onLost` gets them; the host hears
   * `disconnected`, then `connected`. Subscriptions go on. Throws a `closed` refusal unless open.
   */
  cut(): void;
  /**
   * Ends this client as `kill -9` ends a process: what it holds goes back in its old place, unanswered, its
   * open transactions are rolled back, nobody is told, and no call of it ever resolves, pending or later.
   */
  kill(): void;
}

/** The reference reading of `Driver`: what a verb means, with nothing in its way. */
export class StoreDriver implements MemoryDriver {
  readonly name: string;
  readonly clock: Clock;
  readonly capabilities: Capabilities;
  readonly admin: DriverAdmin;
  readonly #store: Store;
  readonly #client: Client;
  readonly #subscriptions = new Set<MemorySubscription>();
  readonly #transactions = new Set<Transaction>();
  #host: DriverHost | null = null;

  constructor(store: Store, leaseMs: number) {
    this.name = store.name;
    this.clock = store.clock;
    this.capabilities = capabilitiesWith(leaseMs);
    this.#store = store;
    this.#client = new Client(store, leaseMs);
    this.admin = adminOf(this.#client);
  }

  async open(host: DriverHost): Promise<void> {
    this.#client.open();
    this.#host = host;
  }

  declare(topology: Topology, options: DeclareOptions): Promise<DeclareReport> {
    return this.#client.run(() => this.#store.declare(topology, options));
  }

  send(batch: readonly Send[], within?: unknown): Promise<readonly SendResult[]> {
    return this.#client.run(async () => {
      const transaction = within === undefined ? null : this.#transactionOf(within);
      if (this.#store.blockerOf(batch, transaction) === null) return this.#sendNow(batch, transaction);
      const kept = batch.map(cloneSend);
      await this.#client.untilFree(kept, transaction);
      return this.#sendNow(kept, transaction);
    });
  }

  subscribe(options: SubscribeOptions): Promise<DriverSubscription> {
    return this.#client.run(() => {
      const subscription = new MemorySubscription(this.#client, options, (ended) => this.#subscriptions.delete(ended));
      this.#subscriptions.add(subscription);
      return subscription;
    });
  }

  /** Nothing here fails but by refusing: what else is thrown is a mistake in this driver. */
  classify(): Classification {
    return { code: 'internal', retryable: false, outcomeUnknown: false };
  }

  health(): DriverHealth {
    return { connected: this.#client.isOpen, blocked: null };
  }

  close(): Promise<void> {
    if (!this.#client.isOpen && !this.#client.isKilled) {
      this.#client.close();
      return Promise.resolve();
    }
    return this.#client.run(() => {
      this.#client.close();
      this.#leave('closed');
    });
  }

  cut(): void {
    this.#client.check();
    if (this.#client.isKilled) return;
    const broken = [...this.#subscriptions].map((subscription) => ({ subscription, lost: subscription.breakOff() }));
    this.#host?.emit({ type: 'disconnected', cause: new Error('the connection was cut') });
    for (const { subscription, lost } of broken) subscription.tellLost(lost);
    this.#host?.emit({ type: 'connected' });
    for (const { subscription } of broken) subscription.serveOthers();
  }

  kill(): void {
    this.#client.kill();
    this.#leave('killed');
    for (const transaction of this.#transactions) transaction.rollback();
    this.#transactions.clear();
  }

  /** All leave before anybody is served, or one of them would be given what another held. */
  #leave(gone: 'closed' | 'killed'): void {
    const leaving = [...this.#subscriptions];
    for (const subscription of leaving) subscription.leave(gone);
    for (const subscription of leaving) subscription.serveOthers();
  }

  /** Throws an `invalid` refusal where `within` is no open transaction of this store. */
  #transactionOf(within: unknown): Transaction {
    if (!(within instanceof Transaction && within.isOf(this.#store) && within.open)) {
      const subject = 'what was given as transaction is not an open transaction of this memory store';
      throw new Refusal(
        'invalid',
        subject,
        'begin one with store.begin(), and send before it is committed or rolled back',
      );
    }
    return within;
  }

  #sendNow(batch: readonly Send[], transaction: Transaction | null): readonly SendResult[] {
    if (transaction === null) return this.#store.send(batch);
    this.#transactionOf(transaction);
    if (!this.#transactions.has(transaction)) {
      this.#transactions.add(transaction);
      void transaction.ended.then(() => this.#transactions.delete(transaction));
    }
    return this.#store.sendWithin(transaction, batch);
  }
}
