import type { StandardSchemaV1 } from '@standard-schema/spec';
import { QueueError } from './errors.js';
import { thrownName } from './thrown.js';
import type { Topic } from './topic.js';

/** Version of the message format that this release writes. It reads this one and all older ones. */
export const messageFormat = 1;

/** Keeps a validation error readable: the rest of a long list says nothing new. */
const maxIssuesNamed = 5;

/**
 * The JSON bytes of a body, checked as its reader will check it: the JSON is read back through the schema,
 * so that what does not survive the journey (a `Date` under `z.date()`, `NaN`) fails here, at the publisher.
 * Answers a promise only where the schema itself is asynchronous. Throws (or rejects with) `invalid` or `payload-too-large`.
 */
export function encodeBody(
  operation: string,
  topic: Topic,
  body: unknown,
  maxBytes: number,
): Uint8Array | Promise<Uint8Array> {
  const text = toJson(operation, body);
  const bytes = Buffer.from(text, 'utf8');
  if (bytes.length > maxBytes) {
    throw new QueueError(
      `cannot ${operation}: the body has ${bytes.length} bytes as JSON and ${maxBytes} are allowed; send a reference to it, or raise maxBodyBytes if the backend allows more`,
      { code: 'payload-too-large' },
    );
  }
  const decoded = readBody(topic, JSON.parse(text));
  return decoded instanceof Promise ? decoded.then(accept) : accept(decoded);

  function accept(read: Decoded): Uint8Array {
    if ('body' in read) return bytes;
    throw new QueueError(
      `cannot ${operation}: as its readers will see it after JSON, ${read.fault}; mend the body or the schema, nothing was sent`,
      { code: 'invalid', cause: read.cause },
    );
  }
}

/** `cause` is what the schema threw. */
export type Decoded = { readonly body: unknown } | { readonly fault: string; readonly cause?: unknown };

/** Reads a body again on receipt. What cannot be read is an answer, not an error: the message becomes a dead letter with that reason. */
export function decodeBody(topic: Topic, bytes: Uint8Array): Decoded | Promise<Decoded> {
  let json: unknown;
  try {
    json = JSON.parse(utf8.decode(bytes));
  } catch (error) {
    return {
      fault: `the body is not JSON in UTF-8 (${error instanceof SyntaxError ? 'syntax error' : 'invalid UTF-8'})`,
    };
  }
  return readBody(topic, json);
}

/** Takes a byte order mark away: some foreign publishers write one, and JSON does not know it. */
const utf8 = new TextDecoder('utf-8', { fatal: true });

function readBody(topic: Topic, json: unknown): Decoded | Promise<Decoded> {
  try {
    const checked = topic.schema['~standard'].validate(json);
    // Any thenable: a library's own promise, or one of another realm, is not `instanceof Promise`.
    return isThenable(checked) ? Promise.resolve(checked).then(decoded).catch(schemaThrew) : decoded(checked);
  } catch (error) {
    return schemaThrew(error);
  }
}

function isThenable<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof (value as Partial<PromiseLike<T>> | null | undefined)?.then === 'function';
}

function decoded(result: StandardSchemaV1.Result<unknown> | null | undefined): Decoded {
  if (typeof result !== 'object' || result === null) return noResult;
  const { issues } = result;
  if (issues === undefined) return 'value' in result ? { body: result.value } : noResult;
  return Array.isArray(issues)
    ? { fault: `the body does not fit the topic's schema: ${nameIssues(issues)}` }
    : noResult;
}

const noResult: Decoded = {
  fault: "the topic's schema answered neither { value } nor { issues }, so it is no Standard Schema",
};

/** Only the error's name is shown: its text may hold the body. */
function schemaThrew(cause: unknown): Decoded {
  return { fault: `the topic's schema failed on the body: ${thrownName(cause)}`, cause };
}

function toJson(operation: string, body: unknown): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(body);
  } catch (cause) {
    throw new QueueError(
      `cannot ${operation}: the body cannot be written as JSON (a cycle, a bigint, or a toJSON that throws); send plain data`,
      {
        code: 'invalid',
        cause,
      },
    );
  }
  if (text === undefined) {
    throw new QueueError(
      `cannot ${operation}: the body is undefined, a function or a symbol, which JSON does not have; send plain data`,
      {
        code: 'invalid',
      },
    );
  }
  return text;
}

/** Paths and messages of issues; never the values, which are the user's payload. */
function nameIssues(issues: readonly StandardSchemaV1.Issue[]): string {
  const named = issues.slice(0, maxIssuesNamed).map(({ path, message }) => {
    const place = (path ?? []).map((part) => String(typeof part === 'object' ? part.key : part)).join('.');
    return place === '' ? message : `${place}: ${message}`;
  });
  const more = issues.length - named.length;
  return more > 0 ? `${named.join('; ')}; and ${more} more` : named.join('; ');
}
