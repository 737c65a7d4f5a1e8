import type { Message } from 'amqplib';
import type { Linked } from './chain.js';
import type { LinkError } from './link-error.js';
import type { Publication } from './publication.js';

/** A message on its way: waiting to be written, or written and not yet confirmed, which is when it is linked. */
export interface Entry extends Linked<Entry> {
  readonly publication: Publication;
  /** On the link's clock. */
  readonly dueAt: number;
  /** Called exactly once; null: the broker confirmed it. */
  readonly answer: (error: LinkError | null) => void;
  /** What the broker said when it sent the message back; null: it did not, so far. */
  returned: { readonly replyCode: number; readonly replyText: string } | null;
}

/**
 * Notes that the broker sent a message back: the oldest one written that looks like it. Two that are equal in
 * exchange, routing key, id and body have the same fate, whichever of them is meant. The confirm follows, always later.
 */
export function markReturned(inFlight: Iterable<Entry>, message: Message): void {
  // amqplib's types do not know the fields of a return.
  const { exchange, routingKey, replyCode, replyText } = message.fields as unknown as Returned;
  for (const entry of inFlight) {
    const { publication } = entry;
    if (
      entry.returned === null &&
      publication.routingKey === routingKey &&
      publication.exchange === exchange &&
      publication.properties.messageId === message.properties.messageId &&
      publication.body.equals(message.content)
    ) {
      entry.returned = { replyCode, replyText };
      return;
    }
  }
}

interface Returned {
  readonly exchange: string;
  readonly routingKey: string;
  readonly replyCode: number;
  readonly replyText: string;
}
