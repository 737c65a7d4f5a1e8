import type { SqliteRow } from '../../sql/sqlite-connection.js';
import { ask, type Steps } from '../../sql/sqlite-steps.js';
import {
  type Death,
  freshCounts,
  type Letter,
  type LetterBox,
  type LetterList,
  type LetterPage,
  Refusal,
  type Send,
  type Target,
} from '../driver.js';
import type { Catalogue, KnownGroup } from './catalogue.js';
import { removeExpiredLetters } from './expiring.js';
import { nextPlaces } from './places.js';
import { promote } from './promoting.js';
import { contentColumns, contentOf, messageOf } from './rows.js';

/** The box of the lost letters; those of a group have its number. */
const lostBox = 0;

interface Box {
  readonly box: number;
  readonly topic: string;
  readonly group: string;
}

export function deadBox(topic: string, group: KnownGroup): Box {
  return { box: group.groupId, topic, group: group.name };
}

/** Throws a `not-found` refusal. */
export function boxNumber(box: LetterBox, catalogue: Catalogue): number {
  return box.kind === 'lost' ? lostBox : catalogue.group(box.topic, box.group).groupId;
}

const content = contentColumns.join(', ');
const unexpired = '(expires_at is null or expires_at > ?)';

export function* bury(
  { box, topic, group }: Box,
  { message }: Send,
  { death, expireAfterMs }: Target & { readonly kind: 'dead' },
  now: number,
): Steps<void> {
  yield* removeExpiredLetters(now, 20);
  yield* ask(
    `insert into {letters} (box, topic, group_name, death, buried_at, expires_at, ${content})
      values (?, ?, ?, ?, ?, ?, ${contentColumns.map(() => '?').join(', ')})`,
    ...[box, topic, group, JSON.stringify(death), Math.floor(now)],
    ...[expireAfterMs === null ? null : Math.ceil(now + expireAfterMs), ...contentOf(message)],
  );
}

/** Groups first, of which few are removed: the other way round all that is delayed in any group is looked at. */
const overdue = `from {groups} g
  cross join {messages} m on m.group_id = g.group_id
  join {topics} t using (topic_id)
  where g.removed = 1 and m.state = 1 and m.due_at <= ?`;

/** What fell due for a group that is gone becomes a lost letter, buried when it fell due. */
export function* loseOverdue(now: number): Steps<void> {
  yield* ask(
    `insert into {letters} (box, topic, group_name, death, buried_at, expires_at, ${content})
      select ${lostBox}, t.name, g.name, null, m.due_at, null, ${contentColumns.map((column) => `m.${column}`).join(', ')}
      ${overdue} order by m.due_at, m.place`,
    now,
  );
  yield* ask(`delete from {messages} where row_id in (select m.row_id ${overdue})`, now);
}

/** Whether something of a group that is gone waits to become a lost letter: a look, that nothing is written for nothing. */
export const anyOverdue = `select 1 ${overdue} limit 1`;

/** A page by number, so that what leaves the box between two pages shifts nothing. Throws `invalid` for a foreign cursor. */
export function* listLetters(box: number, { limit, cursor }: LetterPage, now: number): Steps<LetterList> {
  const after = cursor === null ? 0 : parseCursor(cursor);
  const rows = yield* ask(
    `select * from {letters} where box = ? and letter_id > ? and ${unexpired} order by letter_id limit ?`,
    ...[box, after, now, limit + 1],
  );
  const [count] = yield* ask(`select count(*) as n from {letters} where box = ? and ${unexpired}`, box, now);
  const page = rows.slice(0, limit);
  return {
    letters: page.map((row) => letterOf(row, now)),
    next: rows.length > limit ? String(page[page.length - 1]?.letter_id) : null,
    total: Number(count?.n),
  };
}

/** The oldest. */
export function* firstLetters(box: number, max: number, now: number): Steps<readonly SqliteRow[]> {
  return yield* ask(
    `select * from {letters} where box = ? and ${unexpired} order by letter_id limit ?`,
    ...[box, now, max],
  );
}

export function* countLetters(box: number, now: number): Steps<number> {
  const [count] = yield* ask(`select count(*) as n from {letters} where box = ? and ${unexpired}`, box, now);
  return Number(count?.n);
}

/** The numbers of the letters that are meant, oldest first; `all` are those that are there now. */
export function* chooseLetters(box: number, ids: readonly string[] | 'all', now: number): Steps<readonly number[]> {
  const chosen: SqliteRow[] = [];
  if (ids === 'all') {
    chosen.push(
      ...(yield* ask(`select letter_id from {letters} where box = ? and ${unexpired} order by letter_id`, box, now)),
    );
  } else {
    for (const id of new Set(ids)) {
      chosen.push(
        ...(yield* ask(
          `select letter_id from {letters} where box = ? and message_id = ? and ${unexpired}`,
          ...[box, id, now],
        )),
      );
    }
  }
  return chosen.map((row) => Number(row.letter_id)).sort((one, other) => one - other);
}

/** Deletes those that are still there; answers how many. */
export function* purgeLetters(numbers: readonly number[]): Steps<number> {
  let purged = 0;
  for (const number of numbers) {
    purged += (yield* ask('delete from {letters} where letter_id = ? returning letter_id', number)).length;
  }
  return purged;
}

/** Sends those that are still there, and whose group exists, to the end of its line; answers how many. */
export function* redriveLetters(numbers: readonly number[], catalogue: Catalogue, now: number): Steps<number> {
  let redriven = 0;
  for (const number of numbers) {
    const [row] = yield* ask('select * from {letters} where letter_id = ?', number);
    if (row === undefined) continue;
    const group = catalogue.find(String(row.topic))?.groups.find(({ name }) => name === row.group_name);
    if (group === undefined) continue;
    const stateOfDue = yield* promote(group.groupId, now);
    const place = yield* nextPlaces(1);
    yield* ask(
      `insert into {messages} (group_id, state, place, due_at, attempt, postpones, first_failed_at, ${content})
        select ?, ?, ?, ?, ?, ?, ?, ${content} from {letters} where letter_id = ?`,
      ...[group.groupId, stateOfDue, place, Math.floor(now)],
      ...[freshCounts.attempt, freshCounts.postpones, freshCounts.firstFailedAt, number],
    );
    yield* ask('delete from {letters} where letter_id = ?', number);
    redriven++;
  }
  return redriven;
}

export function letterOf(row: SqliteRow, now: number): Letter {
  const topic = String(row.topic);
  return {
    message: messageOf(row, topic),
    topic,
    group: String(row.group_name),
    death: row.death === null ? null : (JSON.parse(String(row.death)) as Death),
    buriedAt: Number(row.buried_at),
    expiresInMs: typeof row.expires_at === 'number' ? row.expires_at - now : null,
  };
}

function parseCursor(cursor: string): number {
  if (/^\d{1,15}$/.test(cursor)) return Number(cursor);
  throw new Refusal('invalid', 'the cursor is none of this box', 'give the `next` of the page before, or nothing');
}
