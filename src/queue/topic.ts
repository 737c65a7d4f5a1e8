import type { StandardSchemaV1 } from '@standard-schema/spec';
import { z } from 'zod';
import { type BackoffPolicy, backoff } from './backoff.js';
import type { TopicTopology } from './driver.js';
import { QueueError } from './errors.js';
import { nameFault, quoted, textFault } from './names.js';
import { milliseconds, optionsObject, positiveInteger, readOptions } from './options.js';

/**
 * What a publisher names and a group reads: a name, the shape of its bodies, and how its messages are
 * treated. Made by `defineTopic`, given to `openQueue`, a plain immutable value.
 */
export interface Topic<Schema extends StandardSchemaV1 = StandardSchemaV1> {
  readonly name: string;
  readonly schema: Schema;
  readonly groups: Readonly<Record<string, { readonly patterns: readonly string[] }>>;
  readonly ordering: 'none' | 'key';
  readonly lanes: number;
  readonly maxAttempts: number;
  readonly maxRedeliveries: number;
  readonly backoff: BackoffPolicy;
  readonly unmatched: 'reject' | 'discard';
  readonly maxBodyBytes: number;
  readonly idempotencyWindowMs: number;
  readonly deadLetters: { readonly notice: Topic | null; readonly expireAfterMs: number | null };
}

/** What `publish` takes for a topic: the schema's input. */
export type BodyInput<T extends Topic> = StandardSchemaV1.InferInput<T['schema']>;

/** What a handler of a topic sees: the schema's output. */
export type BodyOutput<T extends Topic> = StandardSchemaV1.InferOutput<T['schema']>;

/** Options of `defineTopic`. All but `schema` have defaults (contract, numbers of the default configuration). */
export interface TopicOptions<Schema extends StandardSchemaV1> {
  /** Shape of the bodies, in any Standard Schema library. Must accept what JSON can carry. */
  readonly schema: Schema;
  /**
   * The independent readers; each gets every message that one of its patterns accepts (default `['#']`, all).
   * Default: `{ default: {} }`.
   */
  readonly groups?: Readonly<Record<string, { readonly patterns?: readonly string[] }>>;
  /** `key`: messages of one key are handed out one at a time, in publish order. Default: `none`. */
  readonly ordering?: 'none' | 'key';
  /** How many lanes an ordered topic spreads its keys over. Default 8; cannot change while messages wait. */
  readonly lanes?: number;
  /** The nack of this attempt makes a dead letter. Default 5; `Infinity` never gives up. */
  readonly maxAttempts?: number;
  /** More hand-outs without an answer than this are a crash loop, and a dead letter. Default 20. */
  readonly maxRedeliveries?: number;
  /** Delays between attempts. Default: 1 s, doubled up to 60 s, ±20 %. */
  readonly backoff?: Partial<BackoffPolicy>;
  /** What a publish does that no group accepts: fail with `unroutable` (default), or answer `groups: 0`. */
  readonly unmatched?: 'reject' | 'discard';
  /** Largest body as JSON, bytes. Default 1 MiB; the backend's own limit holds as well. */
  readonly maxBodyBytes?: number;
  /** How long an idempotency key is remembered, milliseconds. Default 24 h. */
  readonly idempotencyWindowMs?: number;
  readonly deadLetters?: {
    /** Topic that gets a notice (`deadLetterNoticeSchema`) of each dead letter, in the same settlement. */
    readonly notice?: Topic | null;
    /** How long dead letters are kept, milliseconds. Default: for ever. */
    readonly expireAfterMs?: number | null;
  };
}

const aShare = 'must be a number from 0 to 1';
const backoffSchema = optionsObject({
  initialMs: milliseconds.default(1_000),
  factor: z.number('must be a number from 1').min(1, 'must be at least 1').default(2),
  maxMs: milliseconds.default(60_000),
  jitter: z.number(aShare).min(0, aShare).max(1, aShare).default(0.2),
});

/** Patterns are compared with routing keys, which may be as long. */
const maxPatternBytes = 255;

const name = z.custom<string>((value) => nameFault(value) === null, {
  error: (issue) => nameFault(issue.input) ?? 'is not a name',
});
const pattern = z.custom<string>((value) => textFault(value, maxPatternBytes) === null, {
  error: (issue) => `the pattern ${textFault(issue.input, maxPatternBytes)}`,
});

/** Options of a group. */
export const groupSchema = optionsObject({
  patterns: z
    .array(pattern, 'must be an array of patterns')
    .min(1, 'needs at least one pattern; leave it out for all messages')
    .default(['#']),
});

/** A Map has no properties, and a group called `__proto__` would become none: either would vanish without a word. */
const plainObject = z.custom<Record<string, unknown>>((value) => {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || Object.hasOwn(value, '__proto__'))
    return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}, "must be a plain object from group names (not __proto__) to options, such as { audit: { patterns: ['#'] } }");

const isStandardSchema = (value: unknown): value is StandardSchemaV1 =>
  (typeof value === 'object' || typeof value === 'function') &&
  value !== null &&
  typeof (value as Partial<StandardSchemaV1>)['~standard']?.validate === 'function';

const isAttempts = (value: unknown): boolean =>
  value === Number.POSITIVE_INFINITY || (Number.isSafeInteger(value) && (value as number) >= 1);

const optionsSchema = optionsObject({
  schema: z.custom<StandardSchemaV1>(isStandardSchema, 'must be a Standard Schema, such as z.object({ … })'),
  groups: plainObject
    .pipe(z.record(name, groupSchema))
    .refine(
      (groups) => Object.keys(groups).length > 0,
      'needs at least one group; leave it out for the group "default"',
    )
    .default({ default: { patterns: ['#'] } }),
  ordering: z.enum(['none', 'key'], 'must be "none" or "key"').default('none'),
  lanes: positiveInteger.optional(),
  maxAttempts: z.custom<number>(isAttempts, 'must be a whole number from 1, or Infinity').default(5),
  maxRedeliveries: positiveInteger.default(20),
  backoff: backoffSchema.prefault({}),
  unmatched: z.enum(['reject', 'discard'], 'must be "reject" or "discard"').default('reject'),
  maxBodyBytes: positiveInteger.default(1_048_576),
  idempotencyWindowMs: milliseconds.min(1, 'must be at least 1').default(86_400_000),
  deadLetters: optionsObject({
    notice: z
      .custom<Topic>((value) => isTopic(value), 'must be a topic made by defineTopic')
      .nullable()
      .default(null),
    expireAfterMs: milliseconds.min(1, 'must be at least 1').nullable().default(null),
  }).prefault({}),
});

const defined = new WeakSet<object>();

/**
 * Declares a topic. Throws `invalid` for names over 100 bytes, with control characters, `*` or `#`, for
 * unknown options and for numbers that make no sense: at start-up, where it is defined, not at the first
 * message. Declares nothing in any backend; `openQueue` and `setup` do that.
 */
export function defineTopic<const Schema extends StandardSchemaV1>(
  topicName: string,
  options: TopicOptions<Schema>,
): Topic<Schema> {
  const fault = nameFault(topicName);
  const operation = `define topic ${quoted(topicName)}`;
  if (fault !== null) {
    throw new QueueError(`cannot ${operation}: the name ${fault}; use up to 100 bytes of plain text`, {
      code: 'invalid',
    });
  }
  const { lanes, ...read } = readOptions(operation, optionsSchema, options);
  if (lanes !== undefined && read.ordering === 'none') {
    throw new QueueError(
      `cannot ${operation}: lanes: only ordered topics have lanes; add ordering: 'key' or leave lanes out`,
      { code: 'invalid' },
    );
  }
  for (const part of [read.groups, read.backoff, read.deadLetters]) Object.freeze(part);
  for (const group of Object.values(read.groups)) Object.freeze(Object.freeze(group).patterns);
  const topic: Topic<Schema> = Object.freeze({
    ...read,
    name: topicName,
    schema: options.schema,
    lanes: read.ordering === 'none' ? 1 : (lanes ?? 8),
  });
  defined.add(topic);
  return topic;
}

/** Whether a value was made by `defineTopic`, of this copy of the library. */
export function isTopic(value: unknown): value is Topic {
  return typeof value === 'object' && value !== null && defined.has(value);
}

/** What a driver is told about a topic. */
export function topologyOf(topic: Topic): TopicTopology {
  return {
    name: topic.name,
    ordering: topic.ordering,
    lanes: topic.lanes,
    groups: Object.entries(topic.groups).map(([group, { patterns }]) => ({ name: group, patterns })),
    maxRedeliveries: topic.maxRedeliveries,
    expectedDelaysMs: backoffSteps(topic),
  };
}

/** The delays that failures of a topic lead to without jitter: at most 64 differ before any sensible cap. */
function backoffSteps(topic: Topic): readonly number[] {
  const steps = new Set<number>();
  for (let n = 1; n < topic.maxAttempts && n <= 64; n++) steps.add(backoff(n, { ...topic.backoff, jitter: 0 }, 0));
  return [...steps];
}
