/** Which way bytes go. */
export type Direction = 'fromClient' | 'fromServer';

export interface Slowness {
  /** All bytes arrive so much later, milliseconds. Default 0. */
  readonly latencyMs?: number | undefined;
  /** Each way of each connection. Default: no limit. */
  readonly bytesPerSecond?: number | undefined;
}

/** What a proxy does to its connections, those of now and those to come. */
export interface Conduct extends Slowness {
  readonly paused: ReadonlySet<Direction>;
  readonly halfOpen: boolean;
}
