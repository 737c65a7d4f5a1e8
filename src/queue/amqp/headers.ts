import { asText } from './as-text.js';
import { isShortString } from './connection/index.js';
import { rewritable } from './rewritable.js';

/** What signalbox writes beside a message, in AMQP headers. Users' header names never begin with this. */
const prefix = 'x-signalbox-';

export const header = {
  /** See `Envelope`. What has none is a foreign message. */
  envelope: `${prefix}envelope`,
  key: `${prefix}key`,
  routingKey: `${prefix}routing-key`,
  lane: `${prefix}lane`,
  attempt: `${prefix}attempt`,
  postpones: `${prefix}postpones`,
  firstFailedAt: `${prefix}first-failed-at`,
  /** User headers that AMQP or RabbitMQ would misunderstand, as JSON. */
  headers: `${prefix}headers`,
  /** Where to a foreign message was sent beside its routing key, as its sender wrote it: see `routes`. */
  cc: `${prefix}cc`,
  bcc: `${prefix}bcc`,

  /** A delayed message: how long it still waits after this hop, and where it goes then. */
  restMs: `${prefix}rest-ms`,
  toExchange: `${prefix}to-exchange`,
  toRoutingKey: `${prefix}to-routing-key`,
  topic: `${prefix}topic`,
  /** The groups it was accepted by, JSON. */
  groups: `${prefix}groups`,

  /** What only shows that a queue answers; dropped where it arrives. */
  probe: `${prefix}probe`,

  /** A letter. */
  group: `${prefix}group`,
  letter: `${prefix}letter`,
  death: `${prefix}death`,
  buriedAt: `${prefix}buried-at`,
  expireAfterMs: `${prefix}expire-after-ms`,
} as const;

export type AmqpHeaders = Readonly<Record<string, unknown>>;

/** What the broker writes, and what must not come along on a copy: on 3.10 it would go on counting. */
const brokers = /^x-(death|delivery-count|acquired-count|opt-.*|(first|last)-death-.*)$/;

/** Of a hop of a delay or of a box; a copy that goes elsewhere leaves them behind. */
const ofAHop: ReadonlySet<string> = new Set([
  header.restMs,
  header.toExchange,
  header.toRoutingKey,
  header.topic,
  header.groups,
  header.group,
  header.letter,
  header.death,
  header.buriedAt,
  header.expireAfterMs,
]);

/** RabbitMQ routes every publish by these, whatever it is published to: a copy keeps them under names that mean nothing to it. */
const routes: ReadonlyMap<string, string> = new Map([
  ['CC', header.cc],
  ['BCC', header.bcc],
]);

/** The headers of a message as whoever sent it wrote them, for a copy of it; ours are kept but for those of a hop. */
export function headersForCopy(headers: AmqpHeaders): Record<string, unknown> {
  const copied: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (brokers.test(name) || ofAHop.has(name) || !isShortString(name)) continue;
    copied[routes.get(name) ?? name] = rewritable(value);
  }
  return copied;
}

/** Writes the headers of a user. */
export function encodeHeaders(headers: Readonly<Record<string, string>>, into: Record<string, unknown>): void {
  let special: [string, string][] | null = null;
  for (const name in headers) {
    const value = headers[name] as string;
    if (isSpecial(name)) special = [...(special ?? []), [name, value]];
    else into[name] = value;
  }
  if (special !== null) into[header.headers] = JSON.stringify(special);
}

/**
 * `CC` and `BCC` would route, a broker counts in `x-…`, and AMQP's names have 255 bytes at most. `__proto__` is lost
 * where a decoder assigns it.
 */
function isSpecial(name: string): boolean {
  return name.length > 60 || /^(x-|b?cc$|__proto__$)/i.test(name);
}

/** What a sender may say beside a message that leaves room for all that we say in the smallest frame of a broker, 8 KiB on 4.x. */
const lightBytes = 2_048;

/** Ours, and as many of the sender's as are light together, in their order; and the names of those that are left out. */
export function lightHeaders(headers: AmqpHeaders): {
  readonly kept: Record<string, unknown>;
  readonly leftOut: readonly string[];
} {
  const kept: Record<string, unknown> = {};
  const leftOut: string[] = [];
  let left = lightBytes;
  for (const [name, value] of Object.entries(headers)) {
    const bytes = Buffer.byteLength(name) + Buffer.byteLength(asText(value));
    const isOurs = own.has(name) && bytes <= mostOwnBytes;
    if (!isOurs && bytes > left) {
      leftOut.push(name);
    } else {
      kept[name] = value;
      if (!isOurs) left -= bytes;
    }
  }
  return { kept, leftOut };
}

/** Names under which we say something ourselves: not what a sender said, of whom others may begin with our prefix as well. */
const own: ReadonlySet<string> = new Set(
  Object.values(header).filter((name) => ![header.headers, header.cc, header.bcc].some((theirs) => theirs === name)),
);

/** Nothing that we write under them is longer; somebody else may. */
const mostOwnBytes = 1_024;

/** The headers of a user, or of a foreign message, where whatever is no string is written as one. Of any message: it never throws. */
export function decodeHeaders(headers: AmqpHeaders): Record<string, string> {
  const entries: [string, string][] = [];
  for (const name in headers) {
    if (name.startsWith(prefix) || brokers.test(name)) continue;
    entries.push([name, asText(headers[name])]);
  }
  for (const [name, aside] of routes) {
    if (headers[aside] !== undefined) entries.push([name, asText(headers[aside])]);
  }
  if (headers[header.headers] !== undefined) {
    // What cannot be read is shown as it is, to those who look at the dead letter.
    entries.push(...(specialIn(headers) ?? [[header.headers, asText(headers[header.headers])] as [string, string]]));
  }
  return Object.fromEntries(entries);
}

/** What is wrong with the headers of a message, so that whoever sent it did not send what `decodeHeaders` says; null: nothing. */
export function faultOf(headers: AmqpHeaders): string | null {
  if (headers[header.headers] === undefined || specialIn(headers) !== null) return null;
  return `its header "${header.headers}" is not JSON of pairs of texts`;
}

/** Null where somebody else wrote it. */
function specialIn(headers: AmqpHeaders): readonly [string, string][] | null {
  const special: unknown = parsed(textOf(headers, header.headers));
  const isPair = (entry: unknown): boolean =>
    Array.isArray(entry) && entry.length === 2 && entry.every((part) => typeof part === 'string');
  return Array.isArray(special) && special.every(isPair) ? (special as [string, string][]) : null;
}

/** The value of a text that should be JSON; null where it is none. */
export function parsed(text: string | null): unknown {
  try {
    return text === null ? null : JSON.parse(text);
  } catch {
    return null;
  }
}

export function textOf(headers: AmqpHeaders, name: string): string | null {
  const value = headers[name];
  return typeof value === 'string' ? value : null;
}

export function numberOf(headers: AmqpHeaders, name: string): number | null {
  const value = headers[name];
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

/** A whole number from `least` on; whatever else stands there, we did not write. */
export function countOf(headers: AmqpHeaders, name: string, least: number): number | null {
  const value = numberOf(headers, name);
  return value !== null && Number.isSafeInteger(value) && value >= least ? value : null;
}

/** The longest time from 1970 on that a `Date` can show. */
export const maxTimeMs = 8.64e15;

/** Epoch milliseconds. */
export function timeOf(headers: AmqpHeaders, name: string): number | null {
  const value = numberOf(headers, name);
  return value !== null && Math.abs(value) <= maxTimeMs ? value : null;
}
