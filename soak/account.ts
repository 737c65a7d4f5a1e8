import { type Spread, spreadOf } from '../bench/spread.js';
import { type Course, type Excuse, excuses, excusesOf, expectedHands } from './excuses.js';
import { type KeyOrder, keyOrderOf } from './key-order.js';
import type { Hand, Ledger, MessageRecord } from './ledger.js';
import { groupsOf, type Plan, planOf } from './plan.js';
import type { Profile } from './profile.js';
import { lagsOf, longestStopOf, recoveriesOf } from './timing.js';

/** A dead letter that was found at the end. */
export interface FoundLetter {
  readonly n: number;
  readonly group: string;
  readonly cause: string;
}

/** What became of everything that was published. Lists name what must not be. */
export interface Account extends KeyOrder {
  /** Publishes by what their callers were told. */
  readonly published: { readonly stored: number; readonly unknown: number; readonly refused: number };
  /** Messages that left with an ack. */
  readonly invoices: number;
  readonly handOuts: number;
  /** Promised to a group, and never settled for good by it. */
  readonly lost: readonly string[];
  /** The only word on them is an ack that nobody answered, and they never came again: settled, as far as can be known. */
  readonly settledUnanswered: number;
  /** Hand-outs beyond what was needed, by their reason. */
  readonly duplicates: Readonly<Record<Excuse, number>>;
  readonly unexplained: readonly string[];
  readonly early: readonly string[];
  /** Handed out although the error said that nothing was stored. */
  readonly phantoms: readonly string[];
  /** Under more ids than it was published times. */
  readonly renamed: readonly string[];
  readonly deadLetters: {
    readonly found: number;
    /** Rejected, and not there. */
    readonly missing: readonly string[];
    /** There, and nobody rejected it. */
    readonly uncalled: readonly string[];
  };
  /** What users of the library got to see, by operation and code. */
  readonly errors: Readonly<Record<string, number>>;
  /** Of delayed hand-outs that no kill had a part in, milliseconds after the due time. */
  readonly lateness: Spread;
  /** Of all delayed hand-outs. */
  readonly latenessWithKills: Spread;
  readonly recoveryMs: readonly number[];
  readonly longestStopMs: number;
}

export interface Run extends Plan {
  readonly profile: Profile;
}

/** The journals decide. Pure. */
export function accountOf(run: Run, ledger: Ledger, letters: readonly FoundLetter[]): Account {
  const published = { stored: 0, unknown: 0, refused: 0 };
  const duplicates = Object.fromEntries(excuses.map((excuse) => [excuse, 0])) as Record<Excuse, number>;
  const [lost, unexplained, early, phantoms, renamed] = [[], [], [], [], []] as [
    string[],
    string[],
    string[],
    string[],
    string[],
  ];
  const [late, lateWithKills]: [number[], number[]] = [[], []];
  let [invoices, settledUnanswered] = [0, 0];
  for (const record of ledger.messages.values()) {
    const told = toldOf(record);
    if (record.n < run.messages) published[told]++;
    else if (told === 'stored') invoices++;
    if (told === 'refused' && record.hands.length > 0) phantoms.push(`message ${record.n}`);
    // An invoice whose order came again is published again: another message, with an id of its own.
    if (new Set(record.hands.map(({ id }) => id)).size > record.sends.length) renamed.push(`message ${record.n}`);
    for (const group of groupsOf[planOf(run, record.n).topic]) {
      const name = `message ${record.n} in group ${group}`;
      const course = courseOf(run, record, group);
      const end = endOf(course.hands);
      if (told === 'stored' && end === 'owed') lost.push(name);
      if (end === 'unanswered') settledUnanswered++;
      const excused = excusesOf(ledger, run.profile, course);
      const extra = Math.max(0, course.hands.length - expectedHands(course));
      for (const excuse of excused.slice(0, extra)) duplicates[excuse]++;
      if (told !== 'refused' && extra > excused.length) unexplained.push(`${name}: ${course.hands.length} hand-outs`);
      const lags = lagsOf(course);
      early.push(...lags.filter((ms) => ms < 0).map((ms) => `${name} by ${(-ms).toFixed(2)} ms`));
      lateWithKills.push(...lags);
      if (excused.length === 0) late.push(...lags);
    }
  }
  return {
    ...{ published, invoices, handOuts: ledger.handOuts, lost, settledUnanswered, duplicates, unexplained },
    ...{ early, phantoms, renamed },
    ...orderOf(run, ledger),
    deadLetters: compareLetters(ledger, letters),
    errors: Object.fromEntries([...ledger.errors].sort(([a], [b]) => a.localeCompare(b))),
    lateness: spreadOf(late),
    latenessWithKills: spreadOf(lateWithKills),
    recoveryMs: recoveriesOf(ledger),
    longestStopMs: longestStopOf(ledger),
  };
}

/** What its callers know: stored if any call said so, refused if all of them did. */
function toldOf({ sends }: MessageRecord): 'stored' | 'unknown' | 'refused' {
  if (sends.some(({ outcome }) => outcome === 'stored')) return 'stored';
  return sends.every(({ outcome }) => outcome === 'refused') ? 'refused' : 'unknown';
}

function courseOf(run: Run, { n, sends, hands }: MessageRecord, group: string): Course {
  return {
    delayMs: planOf(run, n).delayMs,
    copies: sends.filter(({ outcome }) => outcome !== 'refused'),
    hands: hands.filter((hand) => hand.group === group).sort((a, b) => a.at - b.at),
  };
}

/** How it ended for a group: settled for good, perhaps by an ack that nobody answered, or not at all. */
function endOf(hands: readonly Hand[]): 'settled' | 'unanswered' | 'owed' {
  const last = hands.filter(({ settle }) => settle?.verb === 'ack' || settle?.verb === 'reject');
  if (last.some(({ outcome }) => outcome === 'done')) return 'settled';
  return last.some(({ outcome }) => outcome === null || outcome === 'unknown') ? 'unanswered' : 'owed';
}

function orderOf(run: Run, ledger: Ledger): KeyOrder {
  const byKey = new Map<string, MessageRecord[]>();
  for (const record of [...ledger.messages.values()].sort((a, b) => a.n - b.n)) {
    const { key } = planOf(run, record.n);
    // What was never confirmed has no place in the order.
    if (key === null || toldOf(record) !== 'stored') continue;
    const records = byKey.get(key);
    if (records === undefined) byKey.set(key, [record]);
    else records.push(record);
  }
  const found = [...byKey].flatMap(([key, records]) =>
    groupsOf.ordered.map((group) => keyOrderOf(ledger, run.profile, key, group, records)),
  );
  return {
    inversions: found.flatMap(({ inversions }) => inversions),
    overlaps: found.flatMap(({ overlaps }) => overlaps),
  };
}

function compareLetters(ledger: Ledger, letters: readonly FoundLetter[]): Account['deadLetters'] {
  const there = new Set(letters.map(({ n, group }) => `message ${n} in group ${group}`));
  const [called, done] = [new Set<string>(), new Set<string>()];
  for (const { n, hands } of ledger.messages.values()) {
    for (const { group, settle, outcome } of hands) {
      if (settle?.verb !== 'reject') continue;
      called.add(`message ${n} in group ${group}`);
      if (outcome === 'done') done.add(`message ${n} in group ${group}`);
    }
  }
  return {
    found: letters.length,
    missing: [...done].filter((name) => !there.has(name)),
    uncalled: letters
      .filter(({ n, group }) => !called.has(`message ${n} in group ${group}`))
      .map(({ n, group, cause }) => `message ${n} in group ${group}: ${cause}`),
  };
}
