import type { Clock } from './clock.js';
import type { HeldDelivery } from './delivery.js';
import type { DriverLease } from './driver.js';

/** Contract 13: what waited unstarted this long is given back, before a broker's own limit (30 min) closes the channel. */
const unstartedLimitMs = 600_000;

/** A lease is extended after a third of it, so that two extensions may fail. */
const extensionsPerLease = 3;

/** After a failed extension, the next try; sooner where a lease is so short that it would come too late. */
const extensionRetryMs = 1_000;

export interface KeeperOptions {
  readonly clock: Clock;
  readonly lease: DriverLease | null;
  /** Whether leases are extended without being asked. */
  readonly automatic: boolean;
  readonly maxBatch: number;
  /** All that is held, started or not. */
  readonly held: () => readonly HeldDelivery[];
  readonly unstarted: () => readonly HeldDelivery[];
  readonly onLost: (delivery: HeldDelivery) => void;
  readonly onStale: (deliveries: readonly HeldDelivery[]) => void;
  readonly onExtensionFailed: (error: unknown) => void;
}

/**
 * Looks after what one subscriber holds, with one timer: extends leases, notices those that ended although
 * nobody could say so (the backend is out of reach), and returns what waited too long to be started.
 */
export class Keeper {
  readonly #options: KeeperOptions;
  #cancel: (() => void) | null = null;
  #extendAt = Number.POSITIVE_INFINITY;
  #extending = false;
  #stopped = false;

  constructor(options: KeeperOptions) {
    this.#options = options;
  }

  /** New deliveries came in, and are already among those that are held. Their leases run from when they were received. Telling it again changes nothing. */
  watch(deliveries: readonly HeldDelivery[]): void {
    const { lease, automatic } = this.#options;
    if (lease !== null) {
      for (const delivery of deliveries) {
        if (delivery.leaseEndsAt !== Number.POSITIVE_INFINITY) continue;
        delivery.leaseEndsAt = delivery.receivedAt + lease.ms;
        if (automatic) this.#extendAt = Math.min(this.#extendAt, delivery.receivedAt + lease.ms / extensionsPerLease);
      }
    }
    if (this.#cancel === null) this.#arm();
  }

  /** By hand. Resolves with false when the lease is lost. Rejects with what the driver throws. */
  async extend(lease: DriverLease, delivery: HeldDelivery, ms: number): Promise<boolean> {
    const startedAt = this.#options.clock.now();
    const [answer] = await lease.extend([delivery.received.receipt], ms);
    if (answer !== 'done') return false;
    delivery.leaseEndsAt = startedAt + ms;
    this.#arm();
    return true;
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
    this.#cancel = null;
  }

  #arm(): void {
    if (this.#stopped) return;
    this.#cancel?.();
    this.#cancel = null;
    const at = this.#nextAt();
    if (at === null) return;
    const { clock } = this.#options;
    this.#cancel = clock.schedule(() => {
      this.#cancel = null;
      this.#tick(clock.now());
      this.#arm();
    }, at - clock.now());
  }

  #nextAt(): number | null {
    const { held, lease, unstarted } = this.#options;
    const all = held();
    if (all.length === 0) {
      this.#extendAt = Number.POSITIVE_INFINITY;
      return null;
    }
    // While an extension is under way the next one is not timed: when it has ended, this is called again.
    let at = this.#extending ? Number.POSITIVE_INFINITY : this.#extendAt;
    if (lease !== null) for (const { leaseEndsAt } of all) at = Math.min(at, leaseEndsAt);
    for (const { receivedAt } of unstarted()) at = Math.min(at, receivedAt + unstartedLimitMs);
    // Without a lease and with everything started there is nothing to do: look again when it would be time.
    return at === Number.POSITIVE_INFINITY ? this.#options.clock.now() + unstartedLimitMs : at;
  }

  #tick(now: number): void {
    const { held, unstarted, onLost, onStale } = this.#options;
    for (const delivery of held()) if (delivery.leaseEndsAt <= now) onLost(delivery);
    const stale = unstarted().filter(({ receivedAt }) => receivedAt + unstartedLimitMs <= now);
    if (stale.length > 0) onStale(stale);
    if (this.#extendAt <= now && !this.#extending) void this.#extendAll(now);
  }

  async #extendAll(now: number): Promise<void> {
    const { clock, lease, held, maxBatch, onLost, onExtensionFailed } = this.#options;
    if (lease === null) return;
    this.#extending = true;
    this.#extendAt = now + lease.ms / extensionsPerLease;
    try {
      const all = held();
      for (let from = 0; from < all.length; from += maxBatch) {
        const batch = all.slice(from, from + maxBatch);
        const answers = await lease.extend(
          batch.map(({ received }) => received.receipt),
          lease.ms,
        );
        for (const [index, delivery] of batch.entries()) {
          if (answers[index] === 'done') delivery.leaseEndsAt = now + lease.ms;
          // Settled in the meantime: then `lost` only says that it is no longer ours.
          else if (delivery.state === 'held') onLost(delivery);
        }
      }
    } catch (error) {
      this.#extendAt = clock.now() + Math.min(extensionRetryMs, lease.ms / extensionsPerLease);
      onExtensionFailed(error);
    }
    this.#extending = false;
    this.#arm();
  }
}
