import { type Clock, QueueError, systemClock } from '../driver.js';
import { type MemoryDriver, StoreDriver } from './driver.js';
import { type MemoryStore, type MemoryStoreOptions, Store } from './store.js';

/** Either a kept store, or what to make a new one of. `leaseMs` overrides the store's for this driver alone. */
export type MemoryOptions =
  | { readonly store: MemoryStore; readonly leaseMs?: number }
  | (MemoryStoreOptions & { readonly store?: never });

/** A new, empty store. Throws `invalid` for unknown options, and for those that cannot be. */
export function memoryStore(options: MemoryStoreOptions = {}): MemoryStore {
  const operation = 'make a memory store';
  checkNames(operation, options, ['clock', 'leaseMs', 'name']);
  return newStore(operation, options);
}

/** A driver on a store: without one, on a new store of its own. Throws `invalid` for unknown options, and for those that cannot be. */
export function memory(options: MemoryOptions = {}): MemoryDriver {
  const operation = 'make a memory driver';
  checkNames(operation, options, ['store', 'clock', 'leaseMs', 'name']);
  const store: unknown = options.store ?? newStore(operation, options);
  if (!(store instanceof Store)) throw invalid(operation, 'store is no memory store', 'make it with memoryStore()');
  const { clock, name: called } = options as MemoryStoreOptions;
  for (const [name, value] of Object.entries({ clock, name: called })) {
    if (options.store === undefined || value === undefined) continue;
    throw invalid(operation, `both a store and a ${name} are given`, `leave the ${name} out: it is the store's`);
  }
  return new StoreDriver(store, checkedLease(operation, options.leaseMs ?? store.leaseMs));
}

function newStore(operation: string, options: MemoryStoreOptions): Store {
  const { clock = systemClock, leaseMs = 30_000, name = 'memory' } = options;
  if (!isClock(clock)) {
    const remedy = 'give a VirtualClock, or leave it out for the time of the machine';
    throw invalid(operation, 'clock is no Clock, with the functions now and schedule', remedy);
  }
  if (typeof name !== 'string' || name === '') {
    throw invalid(operation, 'name is no text', 'give what errors should call it, or leave it out for "memory"');
  }
  return new Store({ clock, leaseMs: checkedLease(operation, leaseMs), name });
}

function checkedLease(operation: string, leaseMs: unknown): number {
  if (typeof leaseMs === 'number' && Number.isFinite(leaseMs) && leaseMs > 0) return leaseMs;
  const what = typeof leaseMs === 'number' ? String(leaseMs) : 'no number';
  throw invalid(operation, `leaseMs is ${what}`, 'give it milliseconds above 0, or leave it out for 30 000');
}

/** A misspelt option must not be a silent no-op. */
function checkNames(operation: string, options: unknown, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw invalid(operation, 'the options are no object', `give an object of ${known.join(', ')}, or nothing`);
  }
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  throw invalid(operation, `unknown option ${JSON.stringify(unknown)}`, `there are ${known.join(', ')}`);
}

function isClock(value: unknown): value is Clock {
  if (typeof value !== 'object' || value === null) return false;
  const { now, schedule } = value as Partial<Clock>;
  return typeof now === 'function' && typeof schedule === 'function';
}

function invalid(operation: string, fault: string, remedy: string): QueueError {
  return new QueueError(`cannot ${operation}: ${fault}; ${remedy}`, { code: 'invalid' });
}
