import { asText } from './as-text.js';
import { isShortString } from './connection/index.js';

/** Deeper tables become texts: what nests without end would end the stack of whoever writes it. */
const maxDepth = 64;

/** The greatest that fits 64 bits without a sign and is a number of JavaScript. */
const maxTimestamp = 2 ** 64 - 2_048;

/**
 * A value that amqplib has read, as one that can be written with the same type. A table of somebody else may have a key "!", by which
 * amqplib, and what we write headers with, mean a type, and names that have grown by being read: a copy must not fail for them.
 */
export function rewritable(value: unknown, depth = 0): unknown {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  if (depth === maxDepth) return asText(value);
  if (Array.isArray(value)) return value.map((each) => rewritable(each, depth + 1));
  if (Object.hasOwn(value, '!')) return typed(value);
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => isShortString(name))
      .map(([name, each]) => [name, rewritable(each, depth + 1)]),
  );
}

export function rewritableTimestamp(seconds: number): number {
  return Math.min(seconds, maxTimestamp);
}

/** Its form of time stamps and decimals; a table of somebody else that only looks like one is kept as text. */
function typed(tagged: { readonly '!'?: unknown; readonly value?: unknown }): unknown {
  const { '!': type, value } = tagged;
  if (type === 'timestamp' && typeof value === 'number' && Number.isInteger(value) && value >= 0) {
    return { '!': type, value: rewritableTimestamp(value) };
  }
  const isDecimal = type === 'decimal' && typeof value === 'object' && value !== null;
  return isDecimal && 'places' in value && typeof value.places === 'number' ? tagged : asText(tagged);
}
