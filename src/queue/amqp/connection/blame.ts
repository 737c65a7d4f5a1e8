import type { Publication } from './publication.js';
import { sizeLimitIn } from './size-limit.js';

/** What the broker said when it closed a channel. */
export interface ChannelRefusal {
  readonly replyCode: number;
  readonly text: string;
}

/**
 * Which of the messages in flight made the broker close their channel. AMQP does not say; the rest must not be
 * blamed with them, since they may be stored and are worth another try.
 *
 * A missing or forbidden exchange (404, 403) blames all messages to that exchange; the default exchange always
 * exists. Where several exchanges were written to, it is the one whose name the broker quotes. A size blames all that are
 * larger than the broker takes. Anything else blames a message only when it was alone. Pure.
 */
export function blame(refusal: ChannelRefusal, inFlight: readonly Publication[]): ReadonlySet<Publication> {
  const [only] = inFlight;
  if (only !== undefined && inFlight.length === 1) return new Set([only]);
  const maxBytes = sizeLimitIn(refusal.text);
  if (maxBytes !== null) return new Set(inFlight.filter(({ body }) => body.length > maxBytes));
  if (refusal.replyCode !== 404 && refusal.replyCode !== 403) return new Set();
  const named = inFlight.filter(({ exchange }) => exchange !== '');
  const exchanges = new Set(named.map(({ exchange }) => exchange));
  if (exchanges.size === 1 && (refusal.replyCode === 404 || named.length === inFlight.length)) return new Set(named);
  return new Set(named.filter(({ exchange }) => refusal.text.includes(`'${exchange}'`)));
}
