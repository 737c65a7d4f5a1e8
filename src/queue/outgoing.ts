import { encodeBody, messageFormat } from './codec.js';
import { checkTopic, type QueueContext } from './context.js';
import { freshCounts, type Send } from './driver.js';
import { QueueError } from './errors.js';
import { laneOf } from './lane.js';
import { headerBytesOf } from './message.js';
import { checkText, kindOf } from './names.js';
import { newId } from './new-id.js';
import type { Topic } from './topic.js';

/** What a publisher may say about a message beside its body. */
export interface MessageOptions {
  /** A name for the message, up to 255 bytes. Default: a UUIDv7. Publishing an id twice makes two messages. */
  readonly id?: string | undefined;
  /** Unit of order on ordered topics, up to 255 bytes. */
  readonly key?: string | undefined;
  /** What the groups' patterns are matched with: words separated by dots. */
  readonly routingKey?: string | undefined;
  /** Strings only, kept as they are. Names beginning with `x-signalbox-` are ours. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Up to 1024 bytes, not empty. Within the topic's window, a second publish with the same key stores nothing. `unsupported` where the backend cannot. */
  readonly idempotencyKey?: string | undefined;
}

export const outboxOptionNames: ReadonlySet<string> = new Set(['id', 'key', 'routingKey', 'headers', 'idempotencyKey']);
export const publishOptionNames: ReadonlySet<string> = new Set([...outboxOptionNames, 'signal']);
const reservedHeaderPrefix = 'x-signalbox-';

/**
 * Checks everything about a message and makes what a driver stores. Throws (or rejects, where the schema is
 * asynchronous) before anything was sent. Answers a promise only where the schema does.
 */
export function prepare(
  context: QueueContext,
  operation: string,
  topic: Topic,
  body: unknown,
  delayMs: number,
  options: MessageOptions,
  optionNames: ReadonlySet<string>,
): Send | Promise<Send> {
  checkTopic(context, operation, topic);
  checkOptions(operation, options, optionNames);
  const { capabilities } = context.driver;
  const delay = checkDelay(operation, delayMs, capabilities.delay);
  const id = options.id ?? newId(context.clock.now());
  const key = options.key ?? null;
  const routingKey = options.routingKey ?? null;
  if (options.id !== undefined) checkText(operation, 'id', id);
  if (id === '')
    throw new QueueError(`cannot ${operation}: id is empty; leave it out to get one made`, { code: 'invalid' });
  if (key !== null) checkText(operation, 'key', key);
  if (routingKey !== null) checkText(operation, 'routingKey', routingKey);
  const headers = copyHeaders(operation, options.headers, capabilities.limits.headerBytes);
  const dedup = dedupOf(context, operation, topic, options.idempotencyKey);
  const maxBytes = Math.min(topic.maxBodyBytes, capabilities.limits.bodyBytes);
  const encoded = encodeBody(operation, topic, body, maxBytes);
  const described: Described = { id, key, routingKey, headers, delayMs: delay, dedup };
  return encoded instanceof Promise
    ? sendLater(context, topic, described, encoded)
    : sendOf(context, topic, described, encoded);
}

/** What a publisher said of a message, checked. */
interface Described {
  readonly id: string;
  readonly key: string | null;
  readonly routingKey: string | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly delayMs: number;
  readonly dedup: Send['dedup'];
}

async function sendLater(
  context: QueueContext,
  topic: Topic,
  described: Described,
  body: Promise<Uint8Array>,
): Promise<Send> {
  return sendOf(context, topic, described, await body);
}

function sendOf(context: QueueContext, topic: Topic, described: Described, body: Uint8Array): Send {
  const { id, key, routingKey, headers, delayMs, dedup } = described;
  return {
    target: toTopic,
    message: {
      id,
      topic: topic.name,
      key,
      routingKey,
      headers,
      body,
      publishedAt: context.clock.now(),
      format: messageFormat,
    },
    lane: laneOf(key ?? id, topic.lanes),
    counts: freshCounts,
    delayMs,
    nonce: nextNonce(context),
    unmatched: topic.unmatched,
    dedup,
  };
}

const toTopic: Send['target'] = Object.freeze({ kind: 'topic' });

let calls = 0;

/** Different for every call of every process, the same for the repeated sends of one call, which keep their `Send`. */
export function nextNonce(context: QueueContext): string {
  return `${context.name}/${++calls}`;
}

export function checkDelay(
  operation: string,
  delayMs: unknown,
  delay: { readonly resolutionMs: number; readonly maxMs: number },
): number {
  if (typeof delayMs !== 'number' || !Number.isFinite(delayMs)) {
    const what = typeof delayMs === 'number' ? String(delayMs) : kindOf(delayMs);
    throw new QueueError(`cannot ${operation}: the delay is ${what}; give a finite number of milliseconds`, {
      code: 'invalid',
    });
  }
  if (delayMs > delay.maxMs) {
    throw new QueueError(
      `cannot ${operation}: a delay of ${delayMs} ms is longer than the ${delay.maxMs} ms that this backend can wait; publish later`,
      {
        code: 'invalid',
      },
    );
  }
  // Rounded up: a little late is allowed, early is not.
  return delayMs <= 0 ? 0 : Math.ceil(delayMs / delay.resolutionMs) * delay.resolutionMs;
}

/** Throws `invalid` for what is no object, for an unknown option, and for a signal that is none. */
export function checkOptions(
  operation: string,
  options: MessageOptions & { readonly signal?: unknown },
  known: ReadonlySet<string>,
): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new QueueError(`cannot ${operation}: the options are ${kindOf(options)}; give an object`, {
      code: 'invalid',
    });
  }
  for (const name in options) {
    if (known.has(name)) continue;
    throw new QueueError(
      `cannot ${operation}: unknown option ${JSON.stringify(name)}; there are ${[...known].join(', ')}`,
      { code: 'invalid' },
    );
  }
  const { signal } = options;
  if (signal === undefined || signal instanceof AbortSignal) return;
  throw new QueueError(`cannot ${operation}: the signal is ${kindOf(signal)}; give an AbortSignal`, {
    code: 'invalid',
  });
}

const noHeaders: Readonly<Record<string, string>> = Object.freeze({});

function copyHeaders(operation: string, headers: unknown, maxBytes: number): Readonly<Record<string, string>> {
  if (headers === undefined) return noHeaders;
  if (typeof headers !== 'object' || headers === null || Array.isArray(headers)) {
    throw new QueueError(`cannot ${operation}: headers are ${kindOf(headers)}; give an object of strings`, {
      code: 'invalid',
    });
  }
  // A Map or a Headers object has no properties: its entries would be lost without a word.
  const prototype: unknown = Object.getPrototypeOf(headers);
  if (prototype !== null && prototype !== Object.prototype) {
    throw new QueueError(`cannot ${operation}: headers are not a plain object; give an object of strings`, {
      code: 'invalid',
    });
  }
  // fromEntries defines own properties, so that a header called __proto__ is just a header.
  const copy = Object.fromEntries(
    Object.entries(headers).map(([name, value]: [string, unknown]) => {
      if (typeof value !== 'string') {
        throw new QueueError(
          `cannot ${operation}: the header ${JSON.stringify(name)} is ${kindOf(value)}; headers are strings`,
          { code: 'invalid' },
        );
      }
      if (name === '' || name.toLowerCase().startsWith(reservedHeaderPrefix)) {
        throw new QueueError(
          `cannot ${operation}: the header name ${JSON.stringify(name)} is empty or ours; choose another`,
          { code: 'invalid' },
        );
      }
      if (!name.isWellFormed() || !value.isWellFormed()) {
        throw new QueueError(
          `cannot ${operation}: the header ${JSON.stringify(name)} is not well-formed Unicode; mend it`,
          { code: 'invalid' },
        );
      }
      return [name, value];
    }),
  );
  const bytes = headerBytesOf(copy);
  if (bytes > maxBytes) {
    throw new QueueError(
      `cannot ${operation}: the headers have ${bytes} bytes and ${maxBytes} are allowed; put long values into the body`,
      {
        code: 'payload-too-large',
      },
    );
  }
  return copy;
}

function dedupOf(
  context: QueueContext,
  operation: string,
  topic: Topic,
  idempotencyKey: string | undefined,
): Send['dedup'] {
  if (idempotencyKey === undefined) return null;
  checkText(operation, 'idempotencyKey', idempotencyKey, 1_024);
  // What a forgotten variable looks like: every message but the first would be a duplicate, and gone.
  if (idempotencyKey === '') {
    throw new QueueError(
      `cannot ${operation}: idempotencyKey is empty; give what names this publish, or leave it out`,
      { code: 'invalid' },
    );
  }
  const { dedup } = context.driver.capabilities;
  if (dedup === null) {
    throw new QueueError(
      `cannot ${operation}: ${context.driver.name} does not know idempotency keys; leave it out and make the handler idempotent, or use a SQL backend`,
      {
        code: 'unsupported',
        backend: context.driver.name,
      },
    );
  }
  if (topic.idempotencyWindowMs > dedup.windowMs) {
    throw new QueueError(
      `cannot ${operation}: the topic's idempotencyWindowMs of ${topic.idempotencyWindowMs} is longer than the ${dedup.windowMs} of ${context.driver.name}; shorten it`,
      { code: 'unsupported', backend: context.driver.name },
    );
  }
  return { key: idempotencyKey, windowMs: topic.idempotencyWindowMs };
}
