import { VirtualClock } from 'signalbox';
import type { Harness } from 'signalbox/conformance';
import { memory, memoryStore } from 'signalbox/memory';
import { type MemoryHarnessOptions, memoryHarnessOf } from './memory-harness-of.js';

/** The harness of the memory driver as it is. */
export function memoryHarness(options: MemoryHarnessOptions = {}): Harness & { readonly clock: VirtualClock } {
  return memoryHarnessOf({ VirtualClock, memory, memoryStore }, options);
}
