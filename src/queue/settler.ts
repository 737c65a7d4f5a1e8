import { CallQueue, type Outcome } from './call-queue.js';
import type { QueueContext } from './context.js';
import { type DeathFacts, deathOf } from './dead-letter.js';
import type { HeldDelivery, Verb } from './delivery.js';
import type { DeliveryReports } from './delivery-reports.js';
import type { Settlement, SettleResult } from './driver.js';
import { QueueError } from './errors.js';
import { classifyWith, wrapFailure } from './failure.js';
import { buryingSends } from './funeral.js';
import { callDeadlineMs } from './sender.js';
import type { Topic } from './topic.js';

type SettleAnswer = 'done' | 'lost';

export interface SettlerOptions {
  readonly context: QueueContext;
  readonly topic: Topic;
  readonly group: string;
  readonly consumer: string;
  readonly reports: DeliveryReports;
  /** One call to the driver's present subscription. */
  readonly settle: (batch: readonly Settlement[]) => Promise<readonly SettleResult[]>;
  /** A delivery is over, however it ended. */
  readonly onOver: (delivery: HeldDelivery) => void;
  /** The backend says that a delivery is no longer ours. */
  readonly onLost: (delivery: HeldDelivery) => void;
  /** A give-back was answered, or given up: what was given back is no longer held by then. */
  readonly onGivenBack: () => void;
  /** A settlement was given up, or a give-back failed: nobody here holds the delivery any more, and the backend may. */
  readonly onStranded: (delivery: HeldDelivery) => void;
}

/** Brings settlements to the backend: grouped, repeated until their deadline, and with a truthful answer. One per reader. */
export class Settler {
  readonly #options: SettlerOptions;
  /** Acks without an outbox. */
  readonly #acks: CallQueue<Settlement, SettleAnswer>;
  /**
   * All others. Where an outbox is not atomic, they are sends before they are settlements, as many at once as sends are, and no ack
   * waits for them: RabbitMQ that is out of memory takes no messages, and nothing but acks will end that. Elsewhere the same as `#acks`.
   */
  readonly #others: CallQueue<Settlement, SettleAnswer>;

  constructor(options: SettlerOptions) {
    const { atomicOutbox, limits } = options.context.driver.capabilities;
    this.#options = options;
    this.#acks = callQueue(options, 1);
    this.#others = atomicOutbox ? this.#acks : callQueue(options, limits.concurrentSends);
  }

  /** How many settlements have no answer yet. */
  get size(): number {
    return this.#queues.reduce((sum, { size }) => sum + size, 0);
  }

  async idle(): Promise<void> {
    await Promise.all(this.#queues.map((queue) => queue.idle()));
  }

  /** Nothing more can be answered: what is left fails with `closed`. */
  close(): void {
    for (const queue of this.#queues) queue.abandon('closed', undefined);
  }

  get #queues(): readonly CallQueue<Settlement, SettleAnswer>[] {
    return this.#others === this.#acks ? [this.#acks] : [this.#acks, this.#others];
  }

  settle(delivery: HeldDelivery, verb: Verb, settlement: Settlement): Promise<void> {
    return this.#end(delivery, verb, settlement, () => this.#options.reports.settled(delivery, verb, settlement));
  }

  /** Makes a dead letter of it, with the notice that its topic asks for. */
  async bury(delivery: HeldDelivery, verb: Verb, cause: DeathFacts['cause'], reason: unknown): Promise<void> {
    const { context, topic, group, consumer, reports } = this.#options;
    const { attempt, postpones, redeliveries, received } = delivery;
    const { firstFailedAt } = received.counts;
    const now = context.clock.now();
    const facts: DeathFacts = { cause, reason, attempt, postpones, redeliveries, firstFailedAt, now, origin: consumer };
    const death = deathOf(facts);
    const { letter, notice } = buryingSends(context, topic, group, received, death);
    const { receipt } = received;
    const outbox = notice === null ? [letter] : [letter, notice];
    await this.#end(delivery, verb, { kind: 'ack', receipt, outbox }).catch((error: unknown) => {
      if (notice === null || delivery.state !== 'held') throw error;
      // A notice is never an obstacle: its topic may be gone. The letter itself must not be lost for it.
      reports.noticeRefused(delivery, error);
      delivery.beginSettling();
      return this.#end(delivery, verb, { kind: 'ack', receipt, outbox: [letter] });
    });
    reports.deadLettered(delivery, verb, cause, death.reason);
  }

  /** Back to the group as it was, after a while: for those who can do something with it. */
  leaveForOthers(delivery: HeldDelivery, delayMs: number): Promise<void> {
    const { receipt, counts } = delivery.received;
    this.#options.reports.leftForOthers(delivery);
    return this.#end(delivery, 'postpone', { kind: 'release', receipt, delayMs, counts });
  }

  /** Never started: available to others at once. Should that fail, it comes back when its lease or subscription ends. */
  giveBack(delivery: HeldDelivery): void {
    const { reports, onGivenBack, onStranded } = this.#options;
    delivery.settled();
    this.#others.add(
      { kind: 'give-back', receipt: delivery.received.receipt },
      (answer) => {
        if (answer === 'done') reports.givenBack(delivery);
        onGivenBack();
      },
      () => {
        onStranded(delivery);
        onGivenBack();
      },
    );
  }

  /** Brings one settlement to the backend; afterwards the delivery is over, unless nothing was changed. */
  #end(delivery: HeldDelivery, verb: Verb, settlement: Settlement, onDone?: () => void): Promise<void> {
    const { context, onOver, onLost, onStranded } = this.#options;
    const calls = settlement.kind === 'ack' && settlement.outbox.length === 0 ? this.#acks : this.#others;
    return new Promise((resolve, reject) => {
      calls.add(
        settlement,
        (answer, unknownBefore) => {
          if (answer === 'done') {
            delivery.settled();
            // Before the next of its key starts: events tell things in their order.
            onDone?.();
            onOver(delivery);
            resolve();
          } else if (unknownBefore) {
            // The first try may have done it and lost its answer: saying `lease-lost` could be false.
            reject(this.#forsake(delivery, this.#unknown(verb)));
          } else {
            onLost(delivery);
            reject(leaseLost(this.#operation(verb), context.driver.name));
          }
        },
        (failure) => {
          const error = wrapFailure(this.#operation(verb), context.driver, failure);
          // The deadline passed: let it come again instead of holding it for ever.
          if (failure.retryable || failure.outcomeUnknown || failure.code === 'closed') {
            this.#forsake(delivery, error);
            onStranded(delivery);
          } else {
            delivery.unsettled();
          }
          reject(error);
        },
      );
    });
  }

  #forsake(delivery: HeldDelivery, error: QueueError): QueueError {
    delivery.forsake();
    this.#options.onOver(delivery);
    this.#options.reports.settleFailed(delivery, error);
    return error;
  }

  #operation(verb: Verb): string {
    return `${verb} a delivery of "${this.#options.topic.name}"`;
  }

  #unknown(verb: Verb): QueueError {
    return new QueueError(
      `cannot ${this.#operation(verb)}: an earlier try got no answer and now the delivery is no longer ours, so it took effect or the message comes again; make the handler idempotent`,
      { code: 'unavailable', outcomeUnknown: true, backend: this.#options.context.driver.name },
    );
  }
}

function callQueue({ context, settle }: SettlerOptions, maxConcurrent: number): CallQueue<Settlement, SettleAnswer> {
  const { driver, clock, random } = context;
  return new CallQueue({
    clock,
    random,
    call: async (batch) => (await settle(batch)).map(outcomeOf),
    classify: classifyWith(driver),
    orderOf: () => null,
    maxBatch: driver.capabilities.limits.batch,
    maxConcurrent,
    deadlineMs: callDeadlineMs,
  });
}

export function leaseLost(operation: string, backend: string): QueueError {
  return new QueueError(
    `cannot ${operation}: its lease or connection was lost and the message comes again; nothing was changed`,
    { code: 'lease-lost', backend },
  );
}

function outcomeOf(result: SettleResult): Outcome<SettleAnswer> {
  return result.status === 'failed' ? { error: result.error } : { answer: result.status };
}
