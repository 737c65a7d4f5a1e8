import type { Send } from '../driver.js';
import { groupsOf, type Placed, topicsOf } from './batch.js';
import type { KnownGroup } from './catalogue.js';
import type { Context } from './context.js';
import type { Link } from './link.js';
import { messageLiterals, textBytesOf } from './message-row.js';
import { now, textLiteral } from './sql-values.js';
import { stage } from './stage.js';
import type { Statements } from './statements.js';

/** What was decided by is no longer so: look at the catalogue again, and decide anew. Nothing was written. */
export class StaleCatalogue extends Error {
  override readonly name = 'StaleCatalogue';
}

/**
 * Throws `StaleCatalogue` when the groups of a topic have changed since the entries were placed. Answers the server's time, in epoch
 * milliseconds: what is inserted next is written with it. (Computed per row by the server, it was a tenth of a batch's time.)
 */
export async function checkVersions(link: Link, statement: string, placed: readonly Placed[]): Promise<number> {
  const topics = topicsOf(placed);
  if (topics.size === 0) return 0;
  const rows = await link.rows(statement, [[...topics.keys()]]);
  const current = rows.filter(({ id, version }) => topics.get(Number(id))?.version === Number(version));
  if (current.length < topics.size) throw new StaleCatalogue();
  return Number(current[0]?.now_ms);
}

/** The entries that fit into statements of so many bytes, in order; one that alone is larger has a statement alone. */
export function chunksOf(placed: readonly Placed[], statementBytes: number): readonly (readonly Placed[])[] {
  const chunks: Placed[][] = [];
  let room = 0;
  for (const entry of placed) {
    const size = groupsOf(entry).length * textBytesOf(entry.send);
    const last = chunks[chunks.length - 1];
    if (last === undefined || size > room || last.length >= mostEntries) {
      chunks.push([entry]);
      room = statementBytes - size;
    } else {
      last.push(entry);
      room -= size;
    }
  }
  return chunks;
}

const mostEntries = 400;

/** Whether a chunk is written with one statement per table: not where one entry alone has large copies for many groups. */
export function isOneStatement(chunk: readonly Placed[], statementBytes: number): boolean {
  const [only] = chunk;
  return only === undefined || chunk.length > 1 || groupsOf(only).length <= copiesPerStatement(only, statementBytes);
}

function copiesPerStatement({ send }: Placed, statementBytes: number): number {
  return Math.max(1, Math.floor(statementBytes / textBytesOf(send)));
}

/**
 * What `chunksOf` made: one multi-row insert for messages, one for letters, or, where not `isOneStatement`, several. Inserts only: a
 * publisher that touches a shared row makes others wait (701 ms behind 700).
 */
export async function insertAll(
  link: Link,
  { statements, statementBytes }: Pick<Context, 'statements' | 'statementBytes'>,
  chunk: readonly Placed[],
  nowMs: number,
): Promise<void> {
  const [only] = chunk;
  const perStatement =
    only === undefined || chunk.length > 1 ? Number.MAX_SAFE_INTEGER : copiesPerStatement(only, statementBytes);
  const messages: string[] = [];
  const letters: string[] = [];
  for (const { send, placement } of chunk) {
    const message = messageLiterals(send);
    if (placement.kind === 'dead') letters.push(letterRow(send, placement.group, nowMs, message));
    else for (const group of placement.groups) messages.push(messageRow(send, group, nowMs, message));
  }
  for (let from = 0; from < messages.length; from += perStatement) {
    await link.write(statements.insertRows(messages.slice(from, from + perStatement)));
  }
  if (letters.length > 0) await link.write(statements.insertLetters(letters));
}

/** The only entry of a batch with the only row of it: checked and inserted in one statement. */
export async function insertOne(link: Link, statements: Statements, { send, placement }: Placed): Promise<void> {
  const { topic } = placement;
  const group = placement.kind === 'groups' ? placement.groups[0] : undefined;
  if (group === undefined) throw new RangeError('insertOne is for one message of one group');
  const row = messageRow(send, group, now, messageLiterals(send));
  const { affectedRows } = await link.write(statements.insertGuarded(row, topic.id, topic.version));
  if (affectedRows === 0) throw new StaleCatalogue();
}

/** `time` is the server's, read before or as an expression. `visible_after` is when it is due, or 0 in the line. */
function messageRow(send: Send, group: KnownGroup, time: number | string, message: string): string {
  const inLine = group.topic.ordering === 'key' && send.delayMs <= 0;
  const dueAt = after(time, wholeDelay(send.delayMs));
  return `${group.id}, ${inLine ? stage.line : stage.waiting}, ${inLine ? 0 : dueAt}, ${dueAt}, ${textLiteral(send.nonce)}, ${message}`;
}

function after(time: number | string, ms: number): number | string {
  return typeof time === 'number' ? time + ms : `${time} + ${ms}`;
}

function letterRow(send: Send, group: KnownGroup, nowMs: number, message: string): string {
  if (send.target.kind !== 'dead') throw new RangeError('letterRow is for dead letters');
  const { death, expireAfterMs } = send.target;
  // Whoever means "never" by a time that no column holds gets as good as that.
  const expiresAt = expireAfterMs === null ? null : Math.min(nowMs + Math.ceil(expireAfterMs), Number.MAX_SAFE_INTEGER);
  const deathJson = textLiteral(JSON.stringify(death));
  return `${group.id}, ${textLiteral(group.topic.name)}, ${textLiteral(group.name)}, ${nowMs}, ${expiresAt}, ${deathJson}, ${message}`;
}

/** The server's clock is read in whole milliseconds, cut off: one more, or a delay could be short by the part that was cut. */
export function wholeDelay(delayMs: number): number {
  return delayMs > 0 ? Math.ceil(delayMs) + 1 : 0;
}
