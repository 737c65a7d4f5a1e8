/** What differs between backends in what a kill may bring back. */
export interface Profile {
  /**
   * How long after `ack()` resolved a kill can still undo it, milliseconds; null where its answer comes from the
   * backend and is certain. Where the protocol has no answer (AMQP), resolved means handed over, also to a
   * connection whose end nobody has noticed yet.
   */
  readonly settleGraceMs: number | null;
  /** Whether delays and retries go through copies (publish, then ack), which a kill in between doubles. */
  readonly copiesOnTheWay: boolean;
}

export const backends = ['mysql', 'amqp', 'sqlite'] as const;
export type Backend = (typeof backends)[number];

export const profiles: Readonly<Record<Backend | 'memory', Profile>> = {
  mysql: { settleGraceMs: null, copiesOnTheWay: false },
  // Acks wait in our socket, in the broker and for its log: seconds, when it is busy.
  amqp: { settleGraceMs: 3_000, copiesOnTheWay: true },
  sqlite: { settleGraceMs: null, copiesOnTheWay: false },
  memory: { settleGraceMs: null, copiesOnTheWay: false },
};
