import type { DriverBench } from './driver-bench.js';
import type { NeedName } from './needs.js';
import type { QueueBench } from './queue-bench.js';

interface CaseFacts {
  /** Says what is shown, and names the case in `only` and in reports. */
  readonly id: string;
  readonly needs: readonly NeedName[];
}

/** A case as it is written, below the promise that it shows. */
type Written =
  /** Through `Driver` and `DriverSubscription` alone. */
  | (CaseFacts & { readonly layer: 'driver'; readonly run: (bench: DriverBench) => Promise<void> })
  /** Through what users hold: a queue opened on the driver. */
  | (CaseFacts & { readonly layer: 'queue'; readonly run: (bench: QueueBench) => Promise<void> });

export type Case = Written & {
  /** Number of the promise in `docs/guarantees.md`. */
  readonly number: string;
  /** The promise itself, word for word. */
  readonly promise: string;
};

export function driverCase(id: string, run: (bench: DriverBench) => Promise<void>, ...needs: NeedName[]): Written {
  return { id, needs, layer: 'driver', run };
}

export function queueCase(id: string, run: (bench: QueueBench) => Promise<void>, ...needs: NeedName[]): Written {
  return { id, needs, layer: 'queue', run };
}

/** The cases that show one promise of `docs/guarantees.md`, quoted word for word (`test/conformance/guarantees.test.ts` compares). */
export function promise(number: string, text: string, cases: readonly Written[]): readonly Case[] {
  return cases.map((each) => ({ ...each, number, promise: text }));
}
