import type { QueueContext } from './context.js';
import type { HeldDelivery, Verb } from './delivery.js';
import type { DeathCause, Settlement } from './driver.js';
import { QueueError } from './errors.js';

/** Tells what becomes of the deliveries of one consumer, each fact once: events for programs, log lines for people. Never a body. */
export class DeliveryReports {
  readonly #context: QueueContext;
  readonly #consumer: string;

  constructor(context: QueueContext, consumer: string) {
    this.#context = context;
    this.#consumer = consumer;
  }

  delivered(delivery: HeldDelivery): void {
    const { events } = this.#context;
    if (!events.heard('delivered')) return;
    const { attempt, postpones, redeliveries } = delivery;
    events.emit('delivered', { ...this.#about(delivery), attempt, postpones, redeliveries });
  }

  settled(delivery: HeldDelivery, verb: Verb, settlement: Settlement): void {
    const { events } = this.#context;
    if (events.heard('settled')) events.emit('settled', { ...this.#about(delivery), verb });
    if (verb !== 'nack' || settlement.kind !== 'release' || !events.heard('retried')) return;
    const { counts, delayMs } = settlement;
    events.emit('retried', { ...this.#about(delivery), attempt: counts.attempt, delayMs });
  }

  deadLettered(delivery: HeldDelivery, verb: Verb, cause: DeathCause, reason: string): void {
    const { events, logger } = this.#context;
    logger.warn({ ...this.#about(delivery), cause, attempt: delivery.attempt }, 'dead letter');
    if (events.heard('settled')) events.emit('settled', { ...this.#about(delivery), verb });
    if (events.heard('dead-lettered')) events.emit('dead-lettered', { ...this.#about(delivery), cause, reason });
  }

  givenBack(delivery: HeldDelivery): void {
    const { events } = this.#context;
    if (events.heard('given-back')) events.emit('given-back', this.#about(delivery));
  }

  lost(delivery: HeldDelivery): void {
    const { events } = this.#context;
    this.#warn(delivery, 'a delivery was lost; it comes again');
    if (events.heard('lease-lost')) events.emit('lease-lost', this.#about(delivery));
  }

  settleFailed(delivery: HeldDelivery, error: QueueError): void {
    const { events } = this.#context;
    this.#warn(delivery, 'a settlement did not reach the backend; the message comes again', error);
    if (events.heard('settle-failed')) events.emit('settle-failed', { ...this.#about(delivery), error });
  }

  leftForOthers(delivery: HeldDelivery): void {
    this.#warn(delivery, 'left a message of a newer format for others');
  }

  noticeRefused(delivery: HeldDelivery, error: unknown): void {
    this.#warn(delivery, 'the notice of a dead letter was refused; burying without it', error);
  }

  notDisposed(delivery: HeldDelivery, error: unknown): void {
    this.#warn(delivery, 'a message that cannot be handled could not be settled; it comes again', error);
  }

  #warn(delivery: HeldDelivery, what: string, error?: unknown): void {
    const code = error === undefined ? {} : { code: error instanceof QueueError ? error.code : 'internal' };
    this.#context.logger.warn({ ...this.#about(delivery), ...code }, what);
  }

  #about(delivery: HeldDelivery): { topic: string; group: string; id: string; consumer: string } {
    return { topic: delivery.topic, group: delivery.group, id: delivery.id, consumer: this.#consumer };
  }
}
