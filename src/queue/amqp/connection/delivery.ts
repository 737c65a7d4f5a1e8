import type { ConsumeMessage } from 'amqplib';
import type { Linked } from './chain.js';
import type { ConsumingChannel } from './consuming-channel.js';

/**
 * A message in hand, bound to the channel that brought it: its delivery tag means another message on any other
 * channel. Settled at most once; AMQP answers nothing to a settlement, so `done` says that it is being written.
 */
export class Delivery implements Linked<Delivery> {
  /** Among what its channel brought and is not settled. */
  isLinked = false;
  before: Delivery | null = null;
  after: Delivery | null = null;

  constructor(
    readonly message: ConsumeMessage,
    readonly channel: ConsumingChannel,
  ) {}

  get tag(): number {
    return this.message.fields.deliveryTag;
  }

  /** Whether it can still be settled. */
  get held(): boolean {
    return this.channel.holds(this);
  }

  /** `lost`: settled before, or its channel is gone; nothing was written. */
  ack(): 'done' | 'lost' {
    return this.channel.ack(this);
  }

  /** Without `requeue`, the queue's dead letter exchange gets it. Does not count as a delivery on RabbitMQ 4. */
  nack(requeue: boolean): 'done' | 'lost' {
    return this.channel.giveBack(this, 'nack', requeue);
  }

  /** As `nack`; counts as a delivery on RabbitMQ 4 as well. */
  reject(requeue: boolean): 'done' | 'lost' {
    return this.channel.giveBack(this, 'reject', requeue);
  }
}
