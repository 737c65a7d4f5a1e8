import { EventEmitter } from 'node:events';
import type { DeathCause } from './driver.js';
import { QueueError } from './errors.js';
import type { Logger } from './logger.js';
import { kindOf } from './names.js';

/** Which message an event is about, in which group, held by which consumer. */
interface AboutDelivery {
  readonly topic: string;
  readonly group: string;
  readonly id: string;
  readonly consumer: string;
}

/** What `queue.events` tells, each at most once per fact. Never bodies, never passwords. */
export interface QueueEvents {
  /** A publish took effect. `groups` is null where the backend cannot tell. */
  published: {
    readonly topic: string;
    readonly id: string;
    readonly groups: number | null;
    readonly duplicate: boolean;
    readonly delayMs: number;
  };
  /** Handed to a handler, or to the loop over a subscription. */
  delivered: AboutDelivery & { readonly attempt: number; readonly postpones: number; readonly redeliveries: number };
  /** A settlement took effect. A nack that ran out of attempts and a reject are both followed by `dead-lettered`. */
  settled: AboutDelivery & { readonly verb: 'ack' | 'nack' | 'postpone' | 'reject' };
  /** Comes again as `attempt` after `delayMs`. */
  retried: AboutDelivery & { readonly attempt: number; readonly delayMs: number };
  'dead-lettered': AboutDelivery & { readonly cause: DeathCause; readonly reason: string };
  /** Handed back without having been started. */
  'given-back': AboutDelivery;
  /** What was held now belongs to somebody else, or to nobody; it comes again. */
  'lease-lost': AboutDelivery;
  /** A handler threw or ran out of time; the settlement that follows has its own event. */
  'handler-failed': AboutDelivery & { readonly error: unknown };
  /** A settlement could not be brought to the backend within its deadline; the message comes again. */
  'settle-failed': AboutDelivery & { readonly error: unknown };
  /**
   * A subscription was made anew: the backend had ended it, or would not settle what it holds for as long as the
   * subscription lasts (`stranded` of them). What was held comes again.
   */
  resubscribed: {
    readonly topic: string;
    readonly group: string;
    readonly consumer: string;
    readonly stranded: number;
  };
  connected: { readonly backend: string };
  disconnected: { readonly backend: string; readonly cause: unknown };
  reconnecting: { readonly backend: string; readonly attempt: number; readonly delayMs: number };
  /** The backend takes no messages at present; publishes wait. */
  blocked: { readonly backend: string; readonly reason: string };
  unblocked: { readonly backend: string };
  closed: { readonly backend: string };
}

export type QueueEventName = keyof QueueEvents;

const eventNames: Readonly<Record<QueueEventName, true>> = {
  published: true,
  delivered: true,
  settled: true,
  retried: true,
  'dead-lettered': true,
  'given-back': true,
  'lease-lost': true,
  'handler-failed': true,
  'settle-failed': true,
  resubscribed: true,
  connected: true,
  disconnected: true,
  reconnecting: true,
  blocked: true,
  unblocked: true,
  closed: true,
};

/** Typed listeners. A listener that throws, or answers a promise that rejects, is logged and changes nothing for the message or for the others. */
export class Events {
  readonly #emitter = new EventEmitter().setMaxListeners(0);
  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /**
   * Calls `listener` for each event of that name, synchronously. Answers a function that stops it. Throws
   * `invalid` for an event that does not exist: nobody would ever notice that it never comes.
   */
  on<Name extends QueueEventName>(name: Name, listener: (event: QueueEvents[Name]) => unknown): () => void {
    checkListener(name, listener);
    const failed = (error: unknown): void =>
      this.#logger.warn(
        { event: name, error: error instanceof Error ? error.message : typeof error },
        'a listener threw',
      );
    const guarded = (event: QueueEvents[Name]): void => {
      try {
        const answer = listener(event);
        if (answer instanceof Promise) answer.catch(failed);
      } catch (error) {
        failed(error);
      }
    };
    this.#emitter.on(name, guarded);
    return () => this.#emitter.off(name, guarded);
  }

  /** Whether anybody listens: lets hot paths skip making the event. */
  heard(name: QueueEventName): boolean {
    return this.#emitter.listenerCount(name) > 0;
  }

  emit<Name extends QueueEventName>(name: Name, event: QueueEvents[Name]): void {
    this.#emitter.emit(name, event);
  }

  removeAll(): void {
    this.#emitter.removeAllListeners();
  }
}

function checkListener(name: unknown, listener: unknown): void {
  const fault =
    typeof name !== 'string' || !Object.hasOwn(eventNames, name)
      ? `there is no event ${typeof name === 'string' ? JSON.stringify(name) : kindOf(name)}; there are ${Object.keys(eventNames).join(', ')}`
      : typeof listener !== 'function'
        ? `the listener is ${kindOf(listener)}; give a function`
        : null;
  if (fault !== null) throw new QueueError(`cannot listen to events: ${fault}`, { code: 'invalid' });
}
