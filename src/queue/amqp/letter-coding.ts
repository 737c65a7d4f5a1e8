import { randomUUID } from 'node:crypto';
import type { GetMessage } from 'amqplib';
import { z } from 'zod';
import type { Death, DrainedLetter, Letter } from '../driver.js';
import { brokerDeathsOf } from './broker-death.js';
import { type AmqpHeaders, header, lightHeaders, maxTimeMs, numberOf, parsed, textOf, timeOf } from './headers.js';
import { decodeCounts, decodeMessage, type EncodedMessage, identityOf } from './message-coding.js';

/** RabbitMQ refuses a longer expiration and closes the channel. What is to be kept longer is not shown any more after its time. */
const longestExpirationMs = 2 ** 32 - 1;

/** What becomes a letter. `death` is null for a lost one. */
export interface Burial {
  readonly topic: string;
  readonly group: string;
  readonly death: Death | null;
  readonly expireAfterMs: number | null;
  /** On the broker's clock. */
  readonly buriedAt: number;
}

export function encodeLetter({ body, properties }: EncodedMessage, burial: Burial): EncodedMessage {
  const { topic, group, death, expireAfterMs, buriedAt } = burial;
  const headers: Record<string, unknown> = {
    ...properties.headers,
    [header.topic]: topic,
    [header.group]: group,
    [header.buriedAt]: buriedAt,
    [header.letter]: randomUUID(),
  };
  if (death !== null) headers[header.death] = JSON.stringify(death);
  if (expireAfterMs === null) return { body, properties: { ...properties, headers } };
  headers[header.expireAfterMs] = expireAfterMs;
  if (expireAfterMs > longestExpirationMs) return { body, properties: { ...properties, headers } };
  return { body, properties: { ...properties, headers, expiration: String(Math.ceil(expireAfterMs)) } };
}

/**
 * For a message whose headers leave no room in a frame for what is said of its death: without the stack of the error, and without
 * headers, whose names are then in the reason. It would come again without end otherwise.
 */
export function encodeLightLetter({ body, properties }: EncodedMessage, burial: Burial): EncodedMessage {
  const { kept, leftOut } = lightHeaders(properties.headers);
  const light = { body, properties: { ...properties, headers: kept } };
  return encodeLetter(light, { ...burial, death: burial.death && lightDeath(burial.death, leftOut) });
}

function lightDeath(death: Death, leftOut: readonly string[]): Death {
  const names = leftOut.join(', ').slice(0, 200);
  const without = names === '' ? '' : ` (left out, because they fit no frame beside this: ${names})`;
  return {
    ...death,
    reason: `${death.reason}${without}`,
    error: death.error && { ...death.error, stack: null },
  };
}

/** Where a letter stands among the others of its box, whatever becomes of those: by when it was buried, and its own id. */
export interface Place {
  readonly buriedAt: number;
  readonly letter: string;
}

export function placeOf({ properties, fields }: GetMessage): Place {
  const headers: AmqpHeaders = properties.headers ?? {};
  // What somebody else put into the box has neither: it stands where the broker dead-lettered it, or first.
  return {
    buriedAt: timeOf(headers, header.buriedAt) ?? (brokerDeathsOf(headers)[0]?.seconds ?? 0) * 1_000,
    letter: textOf(headers, header.letter) ?? `foreign ${String(fields.deliveryTag).padStart(12, '0')}`,
  };
}

export function comparePlaces(one: Place, other: Place): number {
  if (one.buriedAt !== other.buriedAt) return one.buriedAt - other.buriedAt;
  return one.letter < other.letter ? -1 : one.letter > other.letter ? 1 : 0;
}

export function isExpired({ properties }: GetMessage, now: number): boolean {
  const headers: AmqpHeaders = properties.headers ?? {};
  const expireAfterMs = numberOf(headers, header.expireAfterMs);
  return expireAfterMs !== null && now >= (timeOf(headers, header.buriedAt) ?? 0) + expireAfterMs;
}

const timeMs = z.number().min(-maxTimeMs).max(maxTimeMs);

const deathSchema: z.ZodType<Death> = z.object({
  cause: z.enum(['attempts-exhausted', 'rejected', 'crash-loop', 'undecodable']),
  reason: z.string(),
  error: z.object({ name: z.string(), message: z.string(), stack: z.string().nullable() }).nullable(),
  attempt: z.number(),
  postpones: z.number(),
  redeliveries: z.number(),
  firstFailedAt: timeMs,
  lastFailedAt: timeMs,
  origin: z.string(),
});

/** Null where there is none, or somebody else wrote something there: one such letter must not keep the others from being read. */
function deathIn(headers: AmqpHeaders): Death | null {
  return deathSchema.safeParse(parsed(textOf(headers, header.death))).data ?? null;
}

/** Of any message in a box: it never throws. */
export function decodeLetter(
  message: GetMessage,
  box: { readonly topic: string; readonly group: string } | null,
  now: number,
): Letter {
  const headers: AmqpHeaders = message.properties.headers ?? {};
  const topic = box?.topic ?? textOf(headers, header.topic) ?? '';
  const death = deathIn(headers);
  const { buriedAt } = placeOf(message);
  const expireAfterMs = numberOf(headers, header.expireAfterMs);
  return {
    message: decodeMessage(topic, message),
    topic,
    group: box?.group ?? textOf(headers, header.group) ?? '',
    death: death ?? (box === null ? null : foreignDeath(message, buriedAt)),
    buriedAt,
    expiresInMs: expireAfterMs === null ? null : Math.max(0, buriedAt + expireAfterMs - now),
  };
}

/** Of a group's box. What the broker or another program put there, unread by us, may have no identity. */
export function decodeDrainedLetter(
  message: GetMessage,
  box: { readonly topic: string; readonly group: string },
  now: number,
): DrainedLetter {
  const letter = decodeLetter(message, box, now);
  const identity = textOf(message.properties.headers ?? {}, header.letter) ?? identityOf(message);
  return { ...letter, death: letter.death as Death, identity };
}

/** Of what the broker has put into dead letters by itself (another program rejected it, its time was up), or another program. */
function foreignDeath(message: GetMessage, buriedAt: number): Death {
  const deaths = brokerDeathsOf(message.properties.headers ?? {});
  const [latest] = deaths;
  const { attempt, postpones, firstFailedAt } = decodeCounts(message);
  return {
    cause: latest?.reason === 'delivery_limit' ? 'crash-loop' : 'rejected',
    reason:
      latest === undefined
        ? 'another program put it here'
        : `the broker dead-lettered it from queue "${latest.queue}": ${latest.reason}`,
    error: null,
    attempt,
    postpones,
    redeliveries: 0,
    firstFailedAt: firstFailedAt ?? (deaths.at(-1)?.seconds ?? 0) * 1_000,
    lastFailedAt: buriedAt,
    origin: latest === undefined ? 'another program' : `queue "${latest.queue}"`,
  };
}
