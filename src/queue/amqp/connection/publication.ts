import type { Options } from 'amqplib';

/** A message as it goes to the broker. */
export interface Publication {
  readonly exchange: string;
  readonly routingKey: string;
  readonly body: Buffer;
  /**
   * `mandatory` is always added: without it, the broker confirms what it drops for want of a queue. Whoever sets it
   * saves a copy of these.
   */
  readonly properties: Options.Publish;
}
