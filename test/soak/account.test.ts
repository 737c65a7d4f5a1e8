import { describe, expect, test } from 'vitest';
import { type Account, accountOf, type FoundLetter } from '../../soak/account.js';
import type { Entry, SettleOutcome, Verb } from '../../soak/journal.js';
import { Ledger } from '../../soak/ledger.js';
import { groupsOf, invoiceOf, type Plan, planOf } from '../../soak/plan.js';
import { type Profile, profiles } from '../../soak/profile.js';
import { brokenPromises } from '../../soak/verdict.js';

const seed = 1;
const messages = 2_000;
const plan: Plan = { seed, messages, mix: 'everything' };

/** Messages of the plan that are what a case needs. */
const all = Array.from({ length: messages }, (_, n) => planOf(plan, n));
const numbersOf = (topic: string): readonly number[] => all.filter((each) => each.topic === topic).map(({ n }) => n);
const later = numbersOf('later')[0] ?? -1;
const order = numbersOf('order')[0] ?? -1;
const laterDelayMs = planOf(plan, later).delayMs;
/** Two messages of one key, in publish order. */
const [first, second] = twoOfOneKey();

function twoOfOneKey(): readonly [number, number] {
  const seen = new Map<string, number>();
  for (const { n, key } of all) {
    if (key === null) continue;
    const before = seen.get(key);
    if (before !== undefined) return [before, n];
    seen.set(key, n);
  }
  throw new Error('no key has two messages');
}

let hands = 0;

function published(n: number, at: number, outcome: 'stored' | 'unknown' | 'refused' = 'stored'): Entry[] {
  return [
    { e: 'send', n, at },
    { e: 'sent', n, at: at + 1, outcome },
  ];
}

interface Handling {
  readonly group?: string;
  readonly process?: string;
  readonly verb?: Verb;
  readonly delayMs?: number;
  readonly leaves?: number;
  readonly attempt?: number;
  readonly postpones?: number;
  readonly id?: string;
  /** `none`: it was never settled. */
  readonly outcome?: SettleOutcome | 'none' | 'unanswered';
  readonly forMs?: number;
}

function handled(n: number, at: number, handling: Handling = {}): Entry[] {
  const { group = 'default', process = 'p1', verb = 'ack', delayMs = 0, leaves = null, outcome = 'done' } = handling;
  const { attempt = 1, postpones = 0, id = `id-${n}`, forMs = 2 } = handling;
  const hand = `${process}/${++hands}`;
  const { topic } = planOf(plan, n);
  const entries: Entry[] = [{ e: 'hand', hand, n, topic, group, id, attempt, postpones, redeliveries: 0, at }];
  if (outcome !== 'none') entries.push({ e: 'settle', hand, verb, delayMs, leaves, at: at + forMs });
  if (outcome !== 'none' && outcome !== 'unanswered') entries.push({ e: 'settled', hand, outcome, at: at + forMs + 1 });
  return entries;
}

const byAllGroups = (n: number, at: number): Entry[] =>
  groupsOf[planOf(plan, n).topic].flatMap((group) => handled(n, at, { group }));

function judge(
  entries: readonly Entry[],
  profile: Profile = profiles.mysql,
  letters: readonly FoundLetter[] = [],
): Account & { readonly broken: readonly string[] } {
  const ledger = new Ledger(plan);
  for (const entry of entries) ledger.add(entry);
  const account = accountOf({ ...plan, profile }, ledger, letters);
  return { ...account, broken: brokenPromises(account) };
}

describe('the account of a soak', () => {
  test('finds nothing wrong where every group settled what it was promised, once', () => {
    const { broken, handOuts } = judge([
      ...published(first, 0),
      ...byAllGroups(first, 5),
      ...published(later, 0),
      ...handled(later, laterDelayMs + 3),
    ]);

    expect(broken).toEqual([]);
    expect(handOuts).toBe(3);
  });

  test('finds a message that one of two groups never got', () => {
    const { lost, broken } = judge([...published(first, 0), ...handled(first, 5, { group: 'default' })]);

    expect(lost).toEqual([`message ${first} in group audit`]);
    expect(broken[0]).toMatch(/^1 lost/);
  });

  test('finds a message that was sent back and never came again', () => {
    const { lost } = judge([...published(later, 0), ...handled(later, laterDelayMs, { verb: 'nack', delayMs: 100 })]);

    expect(lost).toHaveLength(1);
  });

  test('finds an invoice that was acked away with its order', () => {
    const { lost } = judge([...published(order, 0), ...handled(order, 5, { leaves: invoiceOf(messages, order) })]);

    expect(lost).toEqual([`message ${invoiceOf(messages, order)} in group default`]);
  });

  test('takes an ack that nobody answered for settled when the message does not come again', () => {
    const { lost, settledUnanswered } = judge([
      ...published(later, 0),
      ...handled(later, laterDelayMs, { outcome: 'unanswered' }),
    ]);

    expect(lost).toEqual([]);
    expect(settledUnanswered).toBe(1);
  });

  test('takes nothing for lost that was never confirmed', () => {
    const { lost } = judge([...published(first, 0, 'unknown'), ...published(second, 0, 'refused')]);

    expect(lost).toEqual([]);
  });

  test('finds a second hand-out that nothing explains', () => {
    const { unexplained, broken } = judge([
      ...published(later, 0),
      ...handled(later, laterDelayMs),
      ...handled(later, laterDelayMs + 50),
    ]);

    expect(unexplained).toEqual([`message ${later} in group default: 2 hand-outs`]);
    expect(broken[0]).toContain('without a reason');
  });

  test.for<readonly [string, readonly Entry[], readonly Entry[]]>([
    [
      'in hand of a killed process',
      handled(later, laterDelayMs, { outcome: 'none' }),
      [{ e: 'killed', process: 'p1', at: laterDelayMs + 10 }],
    ],
    [
      'in hand when the server was killed',
      handled(later, laterDelayMs, { outcome: 'lost', forMs: 90 }),
      [{ e: 'server-killed', at: laterDelayMs + 10 }],
    ],
    ['lease lost', handled(later, laterDelayMs, { outcome: 'lost' }), []],
    ['settlement of unknown outcome', handled(later, laterDelayMs, { outcome: 'unknown' }), []],
    ['publish of unknown outcome', handled(later, laterDelayMs), [{ e: 'server-killed', at: 0.5 }]],
  ])('excuses one more hand-out, and no second one, of what was %s', ([excuse, before, kills]) => {
    const entries = [
      ...published(later, 0),
      ...before,
      ...kills,
      ...handled(later, laterDelayMs + 100, { process: 'p2' }),
    ];

    const once = judge(entries);
    const twice = judge([...entries, ...handled(later, laterDelayMs + 200, { process: 'p2' })]);

    expect(once.broken).toEqual([]);
    expect(once.duplicates).toMatchObject({ [excuse]: 1 });
    expect(twice.unexplained).toHaveLength(1);
  });

  test('does not excuse a hand-out with a kill that came after its answered settlement', () => {
    const entries = [
      ...published(later, 0),
      ...handled(later, laterDelayMs),
      ...handled(later, laterDelayMs + 90, { process: 'p2' }),
    ];
    const kill: Entry = { e: 'killed', process: 'p1', at: laterDelayMs + 50 };

    expect(judge([...entries, kill]).unexplained).toHaveLength(1);
    // Where an ack has no answer, the kill may have undone it.
    expect(judge([...entries, kill], profiles.amqp).unexplained).toHaveLength(0);
    expect(judge([...entries, { ...kill, at: laterDelayMs + 5_000 }], profiles.amqp).unexplained).toHaveLength(1);
  });

  test('finds a delayed message that came early, and one that was sent back and came early', () => {
    const early = judge([...published(later, 0), ...handled(later, laterDelayMs - 0.5)]);
    const back = judge([
      ...published(later, 0),
      ...handled(later, laterDelayMs, { verb: 'nack', delayMs: 100, forMs: 2 }),
      ...handled(later, laterDelayMs + 101, { attempt: 2 }),
    ]);

    expect(early.early).toEqual([`message ${later} in group default by 0.50 ms`]);
    expect(back.early).toEqual([`message ${later} in group default by 1.00 ms`]);
  });

  test('finds an inversion of the first deliveries of a key', () => {
    const { inversions } = judge([
      ...published(first, 0),
      ...published(second, 1),
      ...handled(second, 10, { group: 'audit' }),
      ...handled(first, 20, { group: 'audit' }),
      ...handled(first, 10),
      ...handled(second, 20),
    ]);

    expect(inversions).toEqual([expect.stringMatching(new RegExp(`in group audit: ${second} came before ${first}$`))]);
  });

  test('finds two messages of a key in hand at once, but not where a kill ended the first hand-out', () => {
    const entries = [...published(first, 0), ...published(second, 1)];

    expect(judge([...entries, ...handled(first, 10, { forMs: 50 }), ...handled(second, 20)]).overlaps).toHaveLength(1);
    expect(
      judge([
        ...entries,
        ...handled(first, 10, { outcome: 'none' }),
        { e: 'killed', process: 'p1', at: 15 },
        ...handled(second, 20, { process: 'p2' }),
      ]).overlaps,
    ).toHaveLength(0);
  });

  test('finds what was stored though the error said that it was not, and one message under two ids', () => {
    const phantom = judge([...published(later, 0, 'refused'), ...handled(later, laterDelayMs)]);
    const renamed = judge([
      ...published(first, 0),
      ...handled(first, 5),
      ...handled(first, 5, { group: 'audit', id: 'another' }),
    ]);

    expect(phantom.phantoms).toEqual([`message ${later}`]);
    expect(renamed.renamed).toEqual([`message ${first}`]);
  });

  test('finds a rejected message that is no dead letter, and a dead letter that nobody rejected', () => {
    const entries = [...published(later, 0), ...handled(later, laterDelayMs, { verb: 'reject' })];

    expect(judge(entries, profiles.mysql, [{ n: later, group: 'default', cause: 'rejected' }]).broken).toEqual([]);
    expect(judge(entries).deadLetters.missing).toHaveLength(1);
    expect(
      judge([...published(first, 0), ...byAllGroups(first, 5)], profiles.mysql, [
        { n: first, group: 'audit', cause: 'crash-loop' },
      ]).deadLetters.uncalled,
    ).toEqual([`message ${first} in group audit: crash-loop`]);
  });

  test.for([
    ['conflict/ER_LOCK_DEADLOCK', true],
    ['unavailable/ER_LOCK_DEADLOCK', true],
    ['internal', true],
    ['not a QueueError, but TypeError', true],
    ['unavailable/ECONNREFUSED', false],
    ['lease-lost', false],
  ] as const)('an error that a user got to see, %s, breaks a promise: %s', ([code, breaks]) => {
    const { broken } = judge([
      ...published(first, 0),
      ...byAllGroups(first, 5),
      { e: 'error', operation: 'ack', code, at: 6 },
    ]);

    expect(broken).toHaveLength(breaks ? 1 : 0);
  });

  test('a run in which nothing was published shows nothing', () => {
    expect(judge([]).broken).toEqual(['nothing was published, so nothing was shown']);
  });

  test('tells how soon every process worked again after the server was killed, and the longest stop', () => {
    const [a = 0, b = 0, c = 0] = numbersOf('later');
    const at = 20_000;
    const { recoveryMs, longestStopMs } = judge([
      ...published(a, 0),
      ...published(b, 0),
      ...published(c, at + 9_000),
      ...handled(a, at, { process: 'p1' }),
      ...handled(b, at, { process: 'p2' }),
      { e: 'server-killed', at: at + 100 },
      { e: 'server-ready', at: at + 2_000 },
      ...handled(a, at + 2_500, { process: 'p1' }),
      ...handled(b, at + 3_997, { process: 'p2' }),
    ]);

    expect(recoveryMs).toEqual([2_000]);
    expect(longestStopMs).toBe(2_500);
  });
});
