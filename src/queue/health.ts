/** How a queue is at present, as far as it knows without asking the backend. */
export interface Health {
  /** `degraded`: connected, but the backend takes no messages at present, would not settle some, or lets a consumer not read. */
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
    /** Its group is paused: it starts nothing until somebody resumes it. */
    readonly paused: boolean;
    /** Messages that the backend would not settle and holds until the subscription is made anew, which happens by itself; 0 where leases end. */
    readonly stranded: number;
    /** Why it reads nothing at present, or not from all of its lanes, which is tried again by itself; null: nothing is known to be wrong. */
    readonly trouble: string | null;
  }[];
}
