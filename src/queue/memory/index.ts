/**
 * The memory driver: every capability but durability, on a real or a virtual clock. It is the reference
 * reading of the driver interface, and what users test their own code with.
 */
export type { MemoryDriver } from './driver.js';
export { memoryFromUrl } from './from-url.js';
export { type MemoryOptions, memory, memoryStore } from './memory.js';
export type { MemoryStore, MemoryStoreOptions } from './store.js';
export type { MemoryTransaction } from './transaction.js';
