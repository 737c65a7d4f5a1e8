/**
 * What is bound to the `?` of a statement: numbers, null, bytes, and lists of those for `in (?)` and `values ?`. Texts are bound
 * as bytes, which mysql2 writes as hexadecimal literals: nothing is escaped, so nothing depends on `sql_mode` or on a
 * character set, also on a connection of the application's.
 */
export type SqlValue = number | null | Buffer | readonly SqlValue[];

/** A text as a literal of SQL: see `bytesLiteral`. */
export function textLiteral(text: string | null): string {
  if (text === null) return 'null';
  return printable.test(text) ? `_binary'${text}'` : `x'${Buffer.from(text).toString('hex')}'`;
}

/**
 * Bytes as a literal. Where they are printable ASCII without quotes and backslashes, as most JSON is, they stand as they are, which is
 * half as long as hexadecimal; the introducer keeps the session's character sets away from them.
 */
export function bytesLiteral(bytes: Buffer): string {
  const text = bytes.toString('latin1');
  return printable.test(text) ? `_binary'${text}'` : `x'${bytes.toString('hex')}'`;
}

const printable = /^[ -&(-[\]-~]*$/;

export function bytes(text: string): Buffer;
export function bytes(text: string | null): Buffer | null;
export function bytes(text: string | null): Buffer | null {
  return text === null ? null : Buffer.from(text);
}

/** What a VARBINARY column holds, read back. */
export function text(value: unknown): string;
export function text(value: unknown, orNull: null): string | null;
export function text(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  return typeof value === 'string' ? value : (value as Buffer).toString();
}

/** A number of the backend: with an application's own settings for mysql2 it may come as text. */
export function numericOrNull(value: unknown): number | null {
  return value === null || value === undefined ? null : Number(value);
}

/**
 * The server's clock in epoch milliseconds, the same throughout a statement. Not `unix_timestamp(now(3))`, which depends on
 * the session's time zone and is an hour off when clocks go back.
 */
export const now = "(timestampdiff(microsecond, '1970-01-01 00:00:00', utc_timestamp(3)) div 1000)";
