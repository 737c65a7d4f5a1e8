import type { ConsumeMessage } from 'amqplib';
import type { ConsumingChannel } from './consuming-channel.js';

/**
 * A message in hand, bound to the channel that brought it: its delivery tag means another message on any other
 * channel. Settled at most once; AMQP answers nothing to a settlement, so `done` says that it was written.
 */
export class Delivery {
  constructor(
    readonly message: ConsumeMessage,
    readonly channel: ConsumingChannel,
  ) {}

  /** Whether it can still be settled. */
  get held(): boolean {
    return this.channel.holds(this);
  }

  /** `lost`: settled before, or its channel is gone; nothing was written. */
  ack(): 'done' | 'lost' {
    return this.channel.settle(this, 'ack', false);
  }

  /** Without `requeue`, the queue's dead letter exchange gets it. Does not count as a delivery on RabbitMQ 4. */
  nack(requeue: boolean): 'done' | 'lost' {
    return this.channel.settle(this, 'nack', requeue);
  }

  /** As `nack`; counts as a delivery on RabbitMQ 4 as well. */
  reject(requeue: boolean): 'done' | 'lost' {
    return this.channel.settle(this, 'reject', requeue);
  }
}
