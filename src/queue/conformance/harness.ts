import type { Clock } from '../clock.js';
import type { Driver } from '../driver.js';
import type { Queue, QueueOptions } from '../queue.js';

/** What the author of a driver provides so that the suite can be run on it. All cases of a run share one backend; no two share a topic. */
export interface Harness {
  /** Name in the report: `memory`, `mysql` … */
  readonly backend: string;
  /** What was tested, for the report: the server's version, or the package's. */
  readonly version: string | (() => string | Promise<string>);
  /** A new client of the same backend, not yet opened. As many as are asked for may be open at once. */
  readonly client: () => Driver | Promise<Driver>;
  readonly time: HarnessTime;
  /** First part of every topic's name, so that what a run leaves in a server can be recognised. Default: `conformance`. */
  readonly namePrefix?: string | undefined;
  /** Opens the portable layer on a driver. Default: this package's; a changed one is put to the proof here. */
  readonly openQueue?: ((driver: Driver, options: QueueOptions) => Promise<Queue>) | undefined;

  /** What cannot be done through a driver. A case that needs one that is left out is reported as not exercised. */
  readonly cutConnections?: ((driver: Driver) => void | Promise<void>) | undefined;
  /** Ends a client as `kill -9` ends its process: without a word, and no call of it resolves afterwards. */
  readonly killSubscriber?: ((driver: Driver) => void | Promise<void>) | undefined;
  /** Ends the backend as `kill -9` would, and starts it again on what it had stored. Resolves when it can be reached. */
  readonly restartBackend?: (() => Promise<void>) | undefined;
  /** A client on a machine whose clock is wrong by so much. */
  readonly clientWithWrongClock?: ((offsetMs: number) => Driver | Promise<Driver>) | undefined;
  readonly beginTransaction?: (() => HarnessTransaction | Promise<HarnessTransaction>) | undefined;
  /** Puts a message there that no signalbox has written: without id, format or headers of ours. */
  readonly sendForeign?: ((message: ForeignMessage) => Promise<void>) | undefined;
  /** The backend's clock, epoch milliseconds. */
  readonly backendNow?: (() => number | Promise<number>) | undefined;
  /** Called once, after the last case. */
  readonly close?: (() => void | Promise<void>) | undefined;
}

export type HarnessTime =
  /** Stands still unless the suite moves it; every driver and queue of the run must run on it. `VirtualClock` fits. */
  | { readonly kind: 'virtual'; readonly clock: HarnessClock }
  /** Goes by itself. Whatever must have happened within a time is given so many times that time: 1 on an idle machine. */
  | { readonly kind: 'real'; readonly timeFactor: number };

export interface HarnessClock extends Clock {
  advance(byMs: number): Promise<void>;
  readonly nextDueAt: number | null;
  /** How many timers wait. */
  readonly pending: number;
}

/** A caller's own transaction. */
export interface HarnessTransaction {
  /** What is given to `queue.within`. */
  readonly handle: unknown;
  commit(): void | Promise<void>;
  rollback(): void | Promise<void>;
}

export interface ForeignMessage {
  readonly topic: string;
  readonly routingKey: string | null;
  readonly body: Uint8Array;
}
