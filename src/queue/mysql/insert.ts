import type { Send } from '../driver.js';
import { groupsOf, type Placed, topicsOf } from './batch.js';
import type { KnownGroup } from './catalogue.js';
import type { Context } from './context.js';
import type { Link } from './link.js';
import { messageValues, textBytesOf } from './message-row.js';
import { bytes, type SqlValue } from './sql-values.js';
import { stage } from './stage.js';
import type { Statements } from './statements.js';

/** What was decided by is no longer so: look at the catalogue again, and decide anew. Nothing was written. */
export class StaleCatalogue extends Error {
  override readonly name = 'StaleCatalogue';
}

/** Throws `StaleCatalogue` when the groups of a topic have changed since the entries were placed. */
export async function checkVersions(link: Link, statement: string, placed: readonly Placed[]): Promise<void> {
  const topics = topicsOf(placed);
  if (topics.size === 0) return;
  const rows = await link.rows(statement, [[...topics.keys()]]);
  const current = rows.filter(({ id, version }) => topics.get(Number(id))?.version === Number(version));
  if (current.length < topics.size) throw new StaleCatalogue();
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

const mostEntries = 1_000;

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
): Promise<void> {
  const [only] = chunk;
  const perStatement =
    only === undefined || chunk.length > 1 ? Number.MAX_SAFE_INTEGER : copiesPerStatement(only, statementBytes);
  const messages = chunk.flatMap(({ send, placement }) =>
    placement.kind === 'groups' ? placement.groups.map((group) => rowOf(send, group)) : [],
  );
  const letters = chunk.flatMap(({ send, placement }) =>
    placement.kind === 'dead' ? [letterOf(send, placement.group)] : [],
  );
  for (let from = 0; from < messages.length; from += perStatement) {
    const part = messages.slice(from, from + perStatement);
    await insert(link, statements.insertRows, statements.insertRow, part);
  }
  await insert(link, statements.insertLetters, statements.insertLetter, letters);
}

async function insert(link: Link, into: string, row: string, rows: readonly (readonly SqlValue[])[]): Promise<void> {
  if (rows.length === 0) return;
  await link.write(into + new Array<string>(rows.length).fill(row).join(', '), rows.flat());
}

/** The only entry of a batch with the only row of it: checked and inserted in one statement. */
export async function insertOne(link: Link, statements: Statements, { send, placement }: Placed): Promise<void> {
  const { topic } = placement;
  const group = placement.kind === 'groups' ? placement.groups[0] : undefined;
  if (group === undefined) throw new RangeError('insertOne is for one message of one group');
  const values = [...rowOf(send, group), topic.id, topic.version];
  const { affectedRows } = await link.write(statements.insertGuarded, values);
  if (affectedRows === 0) throw new StaleCatalogue();
}

function rowOf(send: Send, group: KnownGroup): readonly SqlValue[] {
  const inLine = group.topic.ordering === 'key' && send.delayMs <= 0;
  const delayMs = wholeDelay(send.delayMs);
  return [
    group.id,
    inLine ? stage.line : stage.waiting,
    inLine ? 1 : 0,
    delayMs,
    delayMs,
    bytes(send.nonce),
    ...messageValues(send),
  ];
}

function letterOf(send: Send, group: KnownGroup): readonly SqlValue[] {
  if (send.target.kind !== 'dead') throw new RangeError('letterOf is for dead letters');
  const { death, expireAfterMs } = send.target;
  const kept = expireAfterMs === null ? null : Math.ceil(expireAfterMs);
  return [
    group.id,
    bytes(group.topic.name),
    bytes(group.name),
    kept,
    bytes(JSON.stringify(death)),
    ...messageValues(send),
  ];
}

/** The server's clock is read in whole milliseconds, cut off: one more, or a delay could be short by the part that was cut. */
export function wholeDelay(delayMs: number): number {
  return delayMs > 0 ? Math.ceil(delayMs) + 1 : 0;
}
