import type { FrameBytes } from './frame-bytes.js';

/** Integers beyond need 64 bits. */
const int32 = 2 ** 31;
/** Numbers beyond are no integers of 64 bits. */
const int64 = 2 ** 63;

/**
 * Writes a table as amqplib reads it, each value with the type that amqplib would give it: texts, booleans, null, bytes, lists,
 * tables, numbers (the smallest integer that fits, else a double), and its form of time stamps and decimals, `{ '!', value }`.
 * What is undefined is left out. Throws a `TypeError` for a name of more than 255 bytes, and for any other kind of value.
 */
export function writeTable(into: FrameBytes, table: Readonly<Record<string, unknown>>): void {
  const at = into.length;
  into.uint32(0);
  for (const name in table) {
    const value = table[name];
    if (value === undefined) continue;
    into.shortString(name);
    writeValue(into, value);
  }
  into.setUint32(at, into.length - at - 4);
}

function writeValue(into: FrameBytes, value: unknown): void {
  if (typeof value === 'string') {
    tag(into, 'S');
    into.longString(value);
  } else if (typeof value === 'number') {
    writeNumber(into, value);
  } else if (typeof value === 'boolean') {
    tag(into, 't');
    into.uint8(value ? 1 : 0);
  } else if (value === null) {
    tag(into, 'V');
  } else if (value instanceof Uint8Array) {
    tag(into, 'x');
    into.uint32(value.length);
    into.bytes(value);
  } else if (Array.isArray(value)) {
    tag(into, 'A');
    const at = into.length;
    into.uint32(0);
    for (const each of value) writeValue(into, each);
    into.setUint32(at, into.length - at - 4);
  } else if (typeof value !== 'object') {
    throw new TypeError(`AMQP has no ${typeof value}`);
  } else if (Object.hasOwn(value, '!')) {
    writeTyped(into, value as Typed);
  } else {
    tag(into, 'F');
    writeTable(into, value as Record<string, unknown>);
  }
}

/** RabbitMQ takes any of these types for any number; the smallest is what every client reads alike. */
function writeNumber(into: FrameBytes, value: number): void {
  if (!Number.isInteger(value) || Math.abs(value) >= int64) {
    tag(into, 'd');
    into.double(value);
  } else if (value >= -0x80 && value < 0x80) {
    tag(into, 'b');
    into.uint8(value);
  } else if (value >= -0x8000 && value < 0x8000) {
    tag(into, 's');
    into.uint16(value);
  } else if (value >= -int32 && value < int32) {
    tag(into, 'I');
    into.uint32(value);
  } else {
    tag(into, 'l');
    into.int64(value);
  }
}

interface Typed {
  readonly '!': unknown;
  readonly value?: unknown;
}

function writeTyped(into: FrameBytes, { '!': type, value }: Typed): void {
  if (type === 'timestamp' && typeof value === 'number') {
    tag(into, 'T');
    into.int64(value);
    return;
  }
  const { places, digits } = (value ?? {}) as { readonly places?: unknown; readonly digits?: unknown };
  if (type !== 'decimal' || typeof places !== 'number' || typeof digits !== 'number') {
    throw new TypeError(`AMQP has no type ${JSON.stringify(type)} with such a value`);
  }
  tag(into, 'D');
  into.uint8(places);
  into.uint32(digits);
}

function tag(into: FrameBytes, letter: string): void {
  into.uint8(letter.charCodeAt(0));
}
