import type { KnownGroup } from './catalogue.js';
import { type Candidate, OrderedChoice } from './choose-ordered.js';
import type { Link, Row } from './link.js';
import { numericOrNull } from './sql-values.js';
import { stage } from './stage.js';
import type { Statements } from './statements.js';

export interface Claim {
  readonly group: KnownGroup;
  readonly most: number;
  /** Of an unordered group: how many times `most` it looks at, so that what others are just taking leaves enough. */
  readonly reach: number;
  readonly token: number;
  readonly leaseMs: number;
}

export interface Claimed {
  /** In the order of service, as they were before. */
  readonly rows: readonly Row[];
  /** There may be more further on: of what was looked at, others were taking some. */
  readonly crowded: boolean;
  /** Something that waits was locked by somebody, who may be taking it, or not. */
  readonly passed: boolean;
}

/** Runs inside a transaction. Null: the group is gone. */
export function claim(link: Link, statements: Statements, what: Claim): Promise<Claimed | null> {
  return what.group.topic.ordering === 'key'
    ? claimOrdered(link, statements, what)
    : claimUnordered(link, statements, what);
}

async function claimUnordered(link: Link, statements: Statements, what: Claim): Promise<Claimed> {
  const { group, most, reach } = what;
  const look = () => link.rows(statements.lookAtWaiting, [group.id, group.id, most * reach, group.id]);
  let seen = await look();
  const late = seen.filter((row) => Number(row.late) === 1).map(idOf);
  if (late.length > 0) {
    await link.write(statements.expire, [late]);
    seen = await look();
  }
  const waiting = seen.filter((row) => Number(row.late) === 0);
  const ids = waiting
    .sort((one, other) => Number(one.at_ms) - Number(other.at_ms) || idOf(one) - idOf(other))
    .map(idOf);
  const taken: Row[] = [];
  for (let next = 0; next < ids.length && taken.length < most; ) {
    const part = ids.slice(next, next + most - taken.length);
    next += part.length;
    const rows = new Map((await link.rows(statements.lockWaiting, [part])).map((row) => [idOf(row), row]));
    // What was published a moment ago can be seen before its locks are gone: passed by, a later message would overtake it.
    const passed = rows.size < part.length ? part.filter((id) => !rows.has(id)) : [];
    if (passed.length > 0)
      for (const row of await link.rows(statements.lockWaiting, [passed])) rows.set(idOf(row), row);
    taken.push(...part.map((id) => rows.get(id)).filter((row) => row !== undefined));
  }
  if (taken.length > 0) await take(link, statements, what, taken.map(idOf));
  const passed = taken.length < Math.min(most, ids.length);
  return { rows: taken, crowded: passed && ids.length >= most * reach, passed };
}

/**
 * How much further down the line a claim looks at a time, each time twice as far, while it has found nothing; and how far at most:
 * behind a million rows of slow keys nobody is served. Nor does it look further for more: where most keys are in hand, the whole
 * line would be read for the last few (207 ms a claim, measured with four processes and 30 000 rows of 1 000 keys), and whoever
 * settles wakes the next claim anyhow.
 */
const firstPieceRows = 1_000;
const longestPieceRows = 20_000;
const mostRows = 1_000_000;

/**
 * Nobody owns lanes: claims of a group come one after the other, and each takes what may be taken now, with whoever the
 * rest of the keys are. With lanes and leases on them a claim costs about the same (57 us per message against 59,
 * finding 2), and lanes would have to be handed over.
 */
async function claimOrdered(link: Link, statements: Statements, what: Claim): Promise<Claimed | null> {
  const { group, most } = what;
  const [there] = await link.rows(statements.lockGroup, [group.id]);
  if (there === undefined) return null;
  if (there.paused !== null) return { rows: [], crowded: false, passed: false };
  const window = 2 * most + 64;
  const look = () => link.rows(statements.lookAtLine, [group.id, group.id, most + 64, group.id, 0, window]);
  let seen = await look();
  const late = seen.filter((row) => Number(row.late) === 1).map(idOf);
  if (late.length > 0) {
    await link.write(statements.expire, [late]);
    seen = await look();
  }
  const at = (one: number): readonly Row[] => seen.filter((row) => Number(row.stage) === one);
  const inHand = [...at(stage.held), ...at(stage.heldFromLine)].flatMap(
    ({ key_hash }) => numericOrNull(key_hash) ?? [],
  );
  const due = at(stage.waiting)
    .map(candidate)
    .sort((one, other) => one.atMs - other.atMs || one.id - other.id);
  const line = at(stage.line)
    .map(candidate)
    .sort((one, other) => one.id - other.id);
  const taken: Row[] = [];
  // More than one round only where somebody else has locked what was chosen: then its key waits, and others are chosen.
  const [busy, passed] = [new Set(inHand), new Set<number>()];
  for (;;) {
    const left = (rows: readonly Candidate[]) => rows.filter(({ id }) => !passed.has(id));
    const choice = new OrderedChoice(busy, left(due), most - taken.length);
    await walkLine(link, statements, group, choice, { head: line, window, left });
    if (choice.chosen.length === 0) break;
    const rows = new Map((await link.rows(statements.bodies, [choice.chosen])).map((row) => [idOf(row), row]));
    for (const id of choice.chosen) taken.push(...[rows.get(id)].filter((row) => row !== undefined));
    if (rows.size === choice.chosen.length || taken.length >= most) break;
    for (const id of choice.chosen) passed.add(id);
    for (const key of choice.busy) busy.add(key);
  }
  if (taken.length > 0) await take(link, statements, what, taken.map(idOf));
  return { rows: taken, crowded: false, passed: passed.size > 0 };
}

interface LineStart {
  readonly head: readonly Candidate[];
  /** How many rows were asked for: with fewer, the line ends there. */
  readonly window: number;
  /** Without what was passed by. */
  readonly left: (rows: readonly Candidate[]) => readonly Candidate[];
}

/** Gives the choice the line piece by piece, until there is something to take or there is no more. */
async function walkLine(
  link: Link,
  statements: Statements,
  group: KnownGroup,
  choice: OrderedChoice,
  { head, window, left }: LineStart,
): Promise<void> {
  let piece = head;
  let expected = window;
  let next = firstPieceRows;
  for (let walked = 0; walked < mostRows; walked += expected) {
    choice.walk(left(piece));
    if (choice.full) return;
    const last = piece[piece.length - 1];
    if (last === undefined || piece.length < expected) return choice.end();
    if (choice.chosen.length > 0) return;
    expected = next;
    next = Math.min(next * 2, longestPieceRows);
    const further = choice.waitsForTimes ? statements.lookFurtherWithTimes : statements.lookFurther;
    piece = (await link.rows(further, [group.id, last.id, expected])).map(candidate);
  }
}

async function take(
  link: Link,
  statements: Statements,
  { token, leaseMs }: Claim,
  ids: readonly number[],
): Promise<void> {
  await link.write(statements.take, [leaseMs, token, ids]);
}

function idOf(row: Row): number {
  return Number(row.id);
}

function candidate(row: Row): Candidate {
  return { id: Number(row.id), key: numericOrNull(row.key_hash), atMs: Number(row.at_ms) };
}
