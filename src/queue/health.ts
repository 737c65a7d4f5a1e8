/** How a queue is at present, as far as it knows without asking the backend. */
export interface Health {
  /** `degraded`: connected, but the backend takes no messages at present. */
  readonly status: 'ok' | 'degraded' | 'down';
  readonly backend: string;
  /** False once `close` has begun. */
  readonly open: boolean;
  readonly connected: boolean;
  /** Why the backend takes no messages; null while it does. */
  readonly blocked: string | null;
  readonly consumers: readonly {
    readonly consumer: string;
    readonly topic: string;
    readonly group: string;
    /** Deliveries that it holds, started or not. */
    readonly held: number;
  }[];
}
