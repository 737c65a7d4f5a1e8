import type { Send, SendResult } from '../driver.js';
import type { Placed } from './batch.js';
import { storedAs } from './batch.js';
import type { Link } from './link.js';
import { bytes, text } from './sql-values.js';
import { keysNamed, type Statements } from './statements.js';

interface User {
  readonly messageId: string;
  readonly nonce: string;
}

/**
 * Takes the idempotency keys of these entries, in the order of the keys, so that two senders cannot wait for each other. Answers
 * what is decided by them: an entry whose key somebody has is a duplicate, or, by its nonce, stored before by this very call. A key
 * that an open transaction has used is waited for, or, without `wait`, an error for `isKeyBusy`. Runs inside a transaction, with the entries' rows: they come and go together.
 */
export async function takeKeys(
  link: Link,
  statements: Statements,
  placed: readonly Placed[],
  { wait = true }: { readonly wait?: boolean } = {},
): Promise<ReadonlyMap<Placed, SendResult>> {
  const keyed = placed.flatMap((entry) => (entry.send.dedup === null ? [] : [{ entry, dedup: entry.send.dedup }]));
  if (keyed.length === 0) return new Map();
  const sorted = [...keyed].sort((one, other) => compare(nameOf(one.entry), nameOf(other.entry)));
  const names = [...new Map(sorted.map(({ entry }) => [keyOf(entry), nameOf(entry)])).values()];
  const { sql, values: named } = keysNamed(names);
  if (!wait) await link.rows(statements.usersOfFreeKeys(sql), named);
  await link.write(statements.expireKeys(sql), named);
  const before = await usersOf(link, statements, names);
  const fresh = sorted.filter(({ entry }) => !before.has(keyOf(entry)));
  if (fresh.length > 0) {
    const values = fresh.flatMap(({ entry, dedup }) => [
      ...nameOf(entry),
      bytes(entry.send.message.id ?? ''),
      bytes(entry.send.nonce),
      Math.ceil(dedup.windowMs),
    ]);
    await link.write(
      statements.useKeys + fresh.map(() => statements.useKey).join(', ') + statements.unlessUsed,
      values,
    );
  }
  const after = fresh.length > 0 ? await usersOf(link, statements, names) : before;
  const decided = new Map<Placed, SendResult>();
  for (const { entry } of keyed) {
    const user = after.get(keyOf(entry));
    if (user === undefined) continue;
    if (user.nonce !== entry.send.nonce) decided.set(entry, { status: 'duplicate', id: user.messageId });
    else if (before.has(keyOf(entry))) decided.set(entry, storedAs(entry));
  }
  return decided;
}

/** Whether taking keys without waiting found that somebody's open transaction has used one of them. */
export function isKeyBusy(error: unknown): boolean {
  const { errno } = (error ?? {}) as { readonly errno?: unknown };
  return errno === 1205 || errno === 3572;
}

async function usersOf(
  link: Link,
  statements: Statements,
  names: readonly (readonly [number, Buffer])[],
): Promise<Map<string, User>> {
  const { sql, values } = keysNamed(names);
  const rows = await link.rows(statements.usersOfKeys(sql), values);
  return new Map(
    rows.map((row) => [
      `${Number(row.topic_id)} ${text(row.idempotency_key)}`,
      { messageId: text(row.message_id), nonce: text(row.nonce) },
    ]),
  );
}

function keyOf({ send, placement }: Placed): string {
  return `${placement.topic.id} ${dedupKey(send)}`;
}

function nameOf({ send, placement }: Placed): readonly [number, Buffer] {
  return [placement.topic.id, bytes(dedupKey(send))];
}

function dedupKey({ dedup }: Send): string {
  return dedup?.key ?? '';
}

function compare([topic, key]: readonly [number, Buffer], [otherTopic, otherKey]: readonly [number, Buffer]): number {
  return topic - otherTopic || Buffer.compare(key, otherKey);
}
