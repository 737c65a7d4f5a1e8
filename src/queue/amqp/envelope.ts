import { type AmqpHeaders, header, maxTimeMs, textOf } from './headers.js';

/** What signalbox says of each message. */
export interface Envelope {
  /** Version of the message format; null: what somebody else sent. */
  readonly format: number | null;
  /** Epoch milliseconds. */
  readonly publishedAt: number | null;
  /** Of one publish alone, and of all copies of it: an id may be given twice, this never is. */
  readonly publication: string;
}

/** Where there is nothing to say. */
const none = '-';

/**
 * As one header, `<format> <published at> <publication>`: each header of a message costs a broker some 2 us of processor time, a
 * twentieth of all that a message costs it (docs/decisions/amqp-driver.md, "Speed").
 */
export function encodeEnvelope({ format, publishedAt, publication }: Envelope): string {
  return `${format ?? none} ${publishedAt ?? none} ${publication}`;
}

/** Null of what somebody else sent. What is not what we write is taken for missing. */
export function envelopeOf(headers: AmqpHeaders): Envelope | null {
  const text = textOf(headers, header.envelope) ?? '';
  const first = text.indexOf(' ');
  const second = text.indexOf(' ', first + 1);
  const publication = text.slice(second + 1);
  if (first < 0 || second <= first || publication === '' || publication.includes(' ')) return null;
  return {
    format: versionIn(text.slice(0, first)),
    publishedAt: timeIn(text.slice(first + 1, second)),
    publication,
  };
}

function versionIn(text: string): number | null {
  const version = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(version) ? version : null;
}

function timeIn(text: string): number | null {
  const time = /^-?\d/.test(text) ? Number(text) : Number.NaN;
  return Math.abs(time) <= maxTimeMs ? time : null;
}
