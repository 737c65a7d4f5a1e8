import { type Decoded, decodeBody, messageFormat } from './codec.js';
import type { Received } from './driver.js';
import type { Topic } from './topic.js';

/** What is done with what was received: handed out with its body, or kept from every handler. */
export type Unpacked =
  | { readonly kind: 'body'; readonly body: unknown }
  | { readonly kind: 'newer-format' }
  | { readonly kind: 'crash-loop' }
  | { readonly kind: 'undecodable'; readonly fault: string };

/** Looks into a message before any handler does. A promise only where the topic's schema is asynchronous. */
export function unpack(topic: Topic, received: Received): Unpacked | Promise<Unpacked> {
  const { format, body } = received.message;
  if (format !== null && format > messageFormat) return { kind: 'newer-format' };
  if (received.redeliveries > topic.maxRedeliveries) return { kind: 'crash-loop' };
  if (received.fault) return { kind: 'undecodable', fault: received.fault };
  const decoded = decodeBody(topic, body);
  return decoded instanceof Promise ? decoded.then(unpacked) : unpacked(decoded);
}

function unpacked(decoded: Decoded): Unpacked {
  return 'body' in decoded ? { kind: 'body', body: decoded.body } : { kind: 'undecodable', fault: decoded.fault };
}
