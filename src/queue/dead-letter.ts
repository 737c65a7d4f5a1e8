import { z } from 'zod';
import type { Death, DeathCause, Letter } from './driver.js';
import { idOf } from './message.js';
import { isInstance, textOf } from './thrown.js';

/** A message that a group gave up on, kept with the reason. */
export interface DeadLetter {
  readonly id: string;
  readonly topic: string;
  readonly group: string;
  readonly key: string | null;
  readonly routingKey: string | null;
  readonly headers: Readonly<Record<string, string>>;
  /** The body as text: it may be what could not be decoded. */
  readonly bodyText: string;
  readonly publishedAt: number | null;
  /** On the backend's clock, epoch milliseconds. */
  readonly buriedAt: number;
  /** Null for lost letters: nobody failed, the destination was gone. */
  readonly death: Death | null;
}

export function deadLetterOf(letter: Letter): DeadLetter {
  const { message, death } = letter;
  return {
    id: idOf(message),
    topic: letter.topic,
    group: letter.group,
    key: message.key,
    routingKey: message.routingKey,
    headers: message.headers,
    bodyText: Buffer.from(message.body).toString('utf8'),
    publishedAt: message.publishedAt,
    buriedAt: letter.buriedAt,
    death,
  };
}

/** Bodies of notice topics: what became a dead letter and why, never its body. Times are epoch milliseconds. */
export const deadLetterNoticeSchema = z.object({
  id: z.string(),
  topic: z.string(),
  group: z.string(),
  key: z.string().nullable(),
  routingKey: z.string().nullable(),
  cause: z.enum(['attempts-exhausted', 'rejected', 'crash-loop', 'undecodable']),
  reason: z.string(),
  attempt: z.number(),
  postpones: z.number(),
  redeliveries: z.number(),
  firstFailedAt: z.number(),
  lastFailedAt: z.number(),
  origin: z.string(),
});

export type DeadLetterNotice = z.output<typeof deadLetterNoticeSchema>;

/** Contract: the stack in a dead letter is cut at 4 KiB. */
const maxStackBytes = 4_096;
const maxTextBytes = 1_024;

export interface DeathFacts {
  readonly cause: DeathCause;
  /** What the handler or the library gave as reason: an error or a text. */
  readonly reason: unknown;
  readonly attempt: number;
  readonly postpones: number;
  readonly redeliveries: number;
  readonly firstFailedAt: number | null;
  readonly now: number;
  readonly origin: string;
}

/** The record that is kept with a dead letter. Whatever was thrown, it never keeps the letter from being written: giant texts are cut. */
export function deathOf(facts: DeathFacts): Death {
  const error = isInstance(facts.reason, Error) ? errorTexts(facts.reason) : null;
  const reason = error === null ? textOf(() => facts.reason ?? '') : error.message || error.name;
  return {
    cause: facts.cause,
    reason: cut(reason || 'no reason given', maxTextBytes),
    error,
    attempt: facts.attempt,
    postpones: facts.postpones,
    redeliveries: facts.redeliveries,
    firstFailedAt: facts.firstFailedAt ?? facts.now,
    lastFailedAt: facts.now,
    origin: facts.origin,
  };
}

function errorTexts(error: Error): Death['error'] & object {
  const stack = textOf(() => error.stack ?? '');
  return {
    name: cut(
      textOf(() => error.name),
      maxTextBytes,
    ),
    message: cut(
      textOf(() => error.message),
      maxTextBytes,
    ),
    stack: stack === '' ? null : cut(stack, maxStackBytes),
  };
}

/** At most `maxBytes` of UTF-8, whole characters, with a mark where something is missing. */
export function cut(text: string, maxBytes: number): string {
  if (text.length * 3 <= maxBytes || Buffer.byteLength(text) <= maxBytes) return text.toWellFormed();
  const mark = '…';
  const kept = Buffer.from(text.slice(0, maxBytes))
    .subarray(0, maxBytes - Buffer.byteLength(mark))
    .toString('utf8');
  // A character cut in two decodes to U+FFFD at the end.
  return kept.replace(/�+$/, '') + mark;
}
