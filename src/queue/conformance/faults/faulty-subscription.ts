import type {
  DriverLease,
  DriverSubscription,
  Receipt,
  Received,
  Settlement,
  SettleResult,
  SubscribeOptions,
} from '../../driver.js';
import type { Chances } from './chances.js';
import { failureOf, lostAnswerOf } from './injected-fault.js';
import type { Path } from './path.js';
import type { FaultCall } from './plan.js';

/** How long a lease that is to be lost lasts: the shortest that every backend can tell from none. */
const lostLeaseMs = 1;

/** See `faulty`. */
export class FaultySubscription implements DriverSubscription {
  readonly lease: DriverLease | null;
  readonly #subscription: DriverSubscription;
  readonly #options: SubscribeOptions;
  readonly #chances: Chances;
  readonly #path: Path;
  readonly #wait: (ms: number) => Promise<void>;
  /** For the log: whose message a receipt is. */
  readonly #ids = new WeakMap<Receipt, string | null>();
  /** Whose lease was made to end: no extension may save it. */
  readonly #forfeited = new WeakSet<Receipt>();

  constructor(
    subscription: DriverSubscription,
    options: SubscribeOptions,
    chances: Chances,
    path: Path,
    wait: (ms: number) => Promise<void>,
  ) {
    this.#subscription = subscription;
    this.#options = options;
    this.#chances = chances;
    this.#path = path;
    this.#wait = wait;
    const { lease } = subscription;
    this.lease = lease && { ms: lease.ms, extend: (receipts, ms) => this.#extend(lease, receipts, ms) };
  }

  receive(max: number, waitMs: number, signal: AbortSignal): Promise<readonly Received[]> {
    const call = (received: readonly Received[]): FaultCall => ({ verb: 'receive', ...this.#place, max, received });
    return this.#path.pass(
      call([]),
      async () => {
        const received = await this.#subscription.receive(max, waitMs, signal);
        for (const { receipt, message } of received) this.#ids.set(receipt, message.id);
        const struck = received.filter((one) => this.#chances.strike('lose-lease', call([one])).length > 0);
        if (struck.length > 0) await this.#forfeit(struck.map(({ receipt }) => receipt));
        return received;
      },
      call,
    );
  }

  settle(batch: readonly Settlement[]): Promise<readonly SettleResult[]> {
    return this.#path.pass(this.#settling(batch), async () => {
      const failures = batch.map((settlement) => {
        const [fault] = this.#chances.strike('fail-entry', this.#settling([settlement]));
        return fault === undefined ? null : failureOf('fail-entry', 'settle', fault);
      });
      const passed = batch.filter((_, index) => failures[index] === null);
      const results = passed.length === 0 ? [] : await this.#subscription.settle(passed);
      if (this.#chances.strike('lose-answer', this.#settling(batch)).length > 0) throw lostAnswerOf('settle');
      let next = 0;
      return failures.map((error) =>
        error === null ? (results[next++] as SettleResult) : { status: 'failed', error },
      );
    });
  }

  close(): Promise<void> {
    return this.#subscription.close();
  }

  get #place(): { readonly topic: string; readonly group: string } {
    const { topic, group } = this.#options;
    return { topic, group };
  }

  #settling(settlements: readonly Settlement[]): FaultCall {
    return { verb: 'settle', ...this.#place, settlements, ids: settlements.map(({ receipt }) => this.#idOf(receipt)) };
  }

  #extend(lease: DriverLease, receipts: readonly Receipt[], ms: number): Promise<readonly ('done' | 'lost')[]> {
    const call: FaultCall = { verb: 'extend', ...this.#place, ids: receipts.map((receipt) => this.#idOf(receipt)) };
    return this.#path.pass(call, async () => {
      const passed = receipts.filter((receipt) => !this.#forfeited.has(receipt));
      const answers = passed.length === 0 ? [] : await lease.extend(passed, ms);
      if (this.#chances.strike('lose-answer', call).length > 0) throw lostAnswerOf('extend');
      let next = 0;
      return receipts.map((receipt) => (this.#forfeited.has(receipt) ? 'lost' : (answers[next++] as 'done' | 'lost')));
    });
  }

  async #forfeit(receipts: readonly Receipt[]): Promise<void> {
    for (const receipt of receipts) this.#forfeited.add(receipt);
    const { lease } = this.#subscription;
    if (lease !== null) await lease.extend(receipts, lostLeaseMs);
    else void this.#takeAway(receipts).catch(() => {}); // It was closed in the meantime: then they are given back anyhow.
  }

  async #takeAway(receipts: readonly Receipt[]): Promise<void> {
    await this.#wait(lostLeaseMs);
    const results = await this.#subscription.settle(receipts.map((receipt) => ({ kind: 'give-back', receipt })));
    // What its holder has settled by now was not lost.
    const lost = receipts.filter((_, index) => results[index]?.status === 'done');
    if (lost.length > 0) this.#options.onLost(lost);
  }

  #idOf(receipt: Receipt): string | null {
    return this.#ids.get(receipt) ?? null;
  }
}
