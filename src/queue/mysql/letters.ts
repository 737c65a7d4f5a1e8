import {
  type Death,
  type DrainedLetter,
  type Letter,
  type LetterBox,
  type LetterList,
  type LetterPage,
  Refusal,
} from '../driver.js';
import { type KnownGroup, requireGroup, type Topics } from './catalogue.js';
import type { Link, Row } from './link.js';
import { messageColumns, messageOf } from './message-row.js';
import { bytes, now, numericOrNull, type SqlValue, text } from './sql-values.js';
import { stage } from './stage.js';
import { lostBox } from './stranded.js';
import type { Tables } from './tables.js';

const columns = messageColumns.join(', ');

/** How many letters one transaction moves or deletes. */
const batchLetters = 500;

/** The letters of a box that are there: not expired, and not waiting for their due time. */
const inBox = `box = ? and buried_at <= ${now} and (expires_at is null or expires_at > ${now})`;

/** The number of a box's letters. Throws a `not-found` refusal for a group that nobody declared. */
export function boxOf(box: LetterBox, topics: Topics): number {
  return box.kind === 'lost' ? lostBox : requireGroup(topics, box.topic, box.group).id;
}

export async function countLetters(link: Link, { letters }: Tables, box: number): Promise<number> {
  const [row] = await link.rows(`select count(*) as total from ${letters} where ${inBox}`, [box]);
  return Number(row?.total);
}

/** A page, by time of burial; the cursor is the place of its last letter. Rejects with `invalid` for a cursor that is none of ours. */
export async function listLetters(
  link: Link,
  tables: Tables,
  box: number,
  { limit, cursor }: LetterPage,
): Promise<LetterList> {
  const [buriedAt, id] = cursor === null ? [0, 0] : placeOf(cursor);
  const rows = await lettersAfter(link, tables, box, [buriedAt, id], limit + 1);
  const page = rows.slice(0, limit);
  const last = page[page.length - 1];
  return {
    letters: page.map(letterOf),
    next: rows.length > limit && last !== undefined ? `${Number(last.buried_at)}.${Number(last.id)}` : null,
    total: await countLetters(link, tables, box),
  };
}

/** The oldest dead letters of a group, with their numbers. */
export async function firstLetters(
  link: Link,
  tables: Tables,
  box: number,
  max: number,
): Promise<readonly { readonly id: number; readonly letter: Omit<DrainedLetter, 'identity'> }[]> {
  const rows = await lettersAfter(link, tables, box, [0, 0], max);
  return rows.map((row) => {
    const letter = letterOf(row);
    return { id: idOf(row), letter: { ...letter, death: letter.death as Death } };
  });
}

/** Those of the box that are still there. */
export async function deleteLetters(
  link: Link,
  { letters }: Tables,
  box: number,
  ids: readonly number[],
): Promise<void> {
  await link.write(`delete l from ${letters} l force index (primary) where id in (?) and box = ?`, [ids, box]);
}

function lettersAfter(
  link: Link,
  { letters }: Tables,
  box: number,
  [buriedAt, id]: readonly [number, number],
  max: number,
): Promise<readonly Row[]> {
  return link.rows(
    `select id, topic, group_name, buried_at, expires_at - ${now} as expires_in_ms, death, ${columns}
     from ${letters} force index (oldest_first)
     where ${inBox} and (buried_at > ? or (buried_at = ? and id > ?))
     order by buried_at, id
     limit ?`,
    [box, buriedAt, buriedAt, id, max],
  );
}

export interface Wanted {
  readonly box: number;
  readonly ids: readonly string[] | 'all';
  /** Letters that came later are not meant by `all`. */
  readonly lastId: number;
}

/** What `ids` means at this moment. */
export async function wantedOf(link: Link, { letters }: Tables, box: number, ids: Wanted['ids']): Promise<Wanted> {
  const [row] = await link.rows(`select max(id) as last_id from ${letters} where ${inBox}`, [box]);
  return { box, ids, lastId: Number(row?.last_id ?? 0) };
}

/** Deletes one batch of what is wanted. Answers how many; none are left after fewer than a full batch. */
export async function purgeBatch(link: Link, tables: Tables, wanted: Wanted): Promise<number> {
  const ids = (await lockedLetters(link, tables, wanted, 0)).map(idOf);
  if (ids.length > 0) await link.write(`delete from ${tables.letters} where id in (?)`, [ids]);
  return ids.length;
}

export interface Redriven {
  readonly moved: number;
  readonly boxes: readonly number[];
  /** Where the next batch goes on: letters that have no destination stay behind it. Null: there is no more. */
  readonly after: number | null;
}

/** Moves one batch of what is wanted back to its groups: as if it were published now, to that group alone. One transaction. */
export async function redriveBatch(
  link: Link,
  tables: Tables,
  wanted: Wanted,
  after: number,
  topics: Topics,
): Promise<Redriven> {
  const rows = await lockedLetters(link, tables, wanted, after);
  const byGroup = new Map<KnownGroup, number[]>();
  for (const row of rows) {
    const group = topics.get(text(row.topic))?.groups.get(text(row.group_name));
    if (group !== undefined) byGroup.set(group, [...(byGroup.get(group) ?? []), idOf(row)]);
  }
  const boxes: number[] = [];
  let moved = 0;
  for (const [{ id: box, topic }, ids] of byGroup) {
    // The group may have been removed since the catalogue was read: then its letters stay.
    const there = await link.rows(`select id from ${tables.groups} where id = ? lock in share mode`, [box]);
    if (there.length === 0) continue;
    await moveToGroup(link, tables, box, topic.ordering === 'key', ids);
    boxes.push(box);
    moved += ids.length;
  }
  const last = rows[rows.length - 1];
  return { moved, boxes, after: rows.length < batchLetters || last === undefined ? null : idOf(last) };
}

async function moveToGroup(
  link: Link,
  { letters, messages }: Tables,
  box: number,
  ordered: boolean,
  ids: readonly number[],
): Promise<void> {
  // Counts from the start: the columns that hold them are left out.
  const kept = messageColumns
    .filter((column) => !['attempt', 'postpones', 'first_failed_at'].includes(column))
    .join(', ');
  await link.write(
    `insert into ${messages} (box, stage, visible_after, due_at, ${kept})
     select ?, ?, ${ordered ? 0 : now}, ${now}, ${kept} from ${letters} where id in (?) order by buried_at, id`,
    [box, ordered ? stage.line : stage.waiting, ids],
  );
  await link.write(`delete from ${letters} where id in (?)`, [ids]);
}

async function lockedLetters(
  link: Link,
  { letters }: Tables,
  { box, ids, lastId }: Wanted,
  after: number,
): Promise<readonly Row[]> {
  const named = ids === 'all' ? '' : ' and message_id in (?)';
  const values: SqlValue[] = [box, after, lastId];
  if (ids !== 'all') {
    if (ids.length === 0) return [];
    values.push(ids.map((id) => bytes(id)));
  }
  return link.rows(
    `select id, topic, group_name from ${letters}
     where ${inBox} and id > ? and id <= ?${named}
     order by id
     limit ${batchLetters}
     for update`,
    values,
  );
}

function letterOf(row: Row): Letter {
  const death = text(row.death, null);
  return {
    message: messageOf(text(row.topic), row),
    topic: text(row.topic),
    group: text(row.group_name),
    death: death === null ? null : (JSON.parse(death) as Letter['death']),
    buriedAt: Number(row.buried_at),
    expiresInMs: numericOrNull(row.expires_in_ms),
  };
}

function idOf(row: Row): number {
  return Number(row.id);
}

function placeOf(cursor: string): readonly [number, number] {
  const [, buriedAt, id] = /^(\d{1,16})\.(\d{1,16})$/.exec(cursor) ?? [];
  if (buriedAt !== undefined && id !== undefined) return [Number(buriedAt), Number(id)];
  throw new Refusal(
    'invalid',
    `"${cursor}" is not a cursor of this list`,
    'use the "next" of the page before, or null',
  );
}
