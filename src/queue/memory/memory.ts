import { Refusal, systemClock } from '../driver.js';
import { type MemoryDriver, StoreDriver } from './driver.js';
import { type MemoryStore, type MemoryStoreOptions, Store } from './store.js';

/** Either a kept store, or what to make a new one of. `leaseMs` overrides the store's for this driver alone. */
export type MemoryOptions =
  | { readonly store: MemoryStore; readonly leaseMs?: number }
  | (MemoryStoreOptions & { readonly store?: never });

/** A new, empty store. Throws an `invalid` refusal for a lease that is no positive number. */
export function memoryStore(options: MemoryStoreOptions = {}): MemoryStore {
  const { clock = systemClock, leaseMs = 30_000, name = 'memory' } = options;
  return new Store({ clock, leaseMs: checkedLease(leaseMs), name });
}

/** A driver on a store: without one, on a new store of its own. Throws an `invalid` refusal for options that cannot be. */
export function memory(options: MemoryOptions = {}): MemoryDriver {
  const store = options.store ?? memoryStore(options);
  if (!(store instanceof Store)) throw new Refusal('invalid', 'store is no memory store', 'make it with memoryStore()');
  if (options.store !== undefined && 'clock' in options) {
    throw new Refusal('invalid', 'both a store and a clock are given', "leave the clock out: it is the store's");
  }
  return new StoreDriver(store, checkedLease(options.leaseMs ?? store.leaseMs));
}

function checkedLease(leaseMs: number): number {
  if (Number.isFinite(leaseMs) && leaseMs > 0) return leaseMs;
  throw new Refusal('invalid', `leaseMs is ${leaseMs}`, 'give it milliseconds above 0, or leave it out for 30 000');
}
