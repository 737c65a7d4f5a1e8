import type { Hand, Ledger, SendRecord } from './ledger.js';
import type { Profile } from './profile.js';

/** Why a message may be handed out more often than it had to be. */
export const excuses = [
  'in hand of a killed process',
  'in hand when the server was killed',
  'lease lost',
  'settlement of unknown outcome',
  'publish of unknown outcome',
  'copy on its way at a kill',
] as const;
export type Excuse = (typeof excuses)[number];

/** What the excuses of one message in one group are found in. */
export interface Course {
  /** Its own delay; 0: none. */
  readonly delayMs: number;
  /** All calls that stored it or may have. */
  readonly copies: readonly SendRecord[];
  /** In the order in which they began. */
  readonly hands: readonly Hand[];
}

/** How often it had to be handed out: once, and once more for each time that it was sent back with an answer. */
export function expectedHands({ hands }: Course): number {
  return 1 + hands.filter((hand) => isReturn(hand) && hand.outcome === 'done').length;
}

/** Each excuse allows one hand-out more than expected. Pure. */
export function excusesOf(ledger: Ledger, profile: Profile, course: Course): readonly Excuse[] {
  return [
    ...course.hands.flatMap((hand) => excusesOfHand(ledger, profile, hand)),
    ...course.copies.flatMap((copy, i) => excusesOfCopy(ledger, copy, i)),
    ...(profile.copiesOnTheWay ? excusesOfLegs(ledger, profile, course) : []),
  ];
}

function excusesOfHand(ledger: Ledger, profile: Profile, hand: Hand): readonly Excuse[] {
  const interruption = interruptionOf(ledger, profile, hand);
  return [
    ...(interruption === null ? [] : [interruption]),
    // Sent back without an answer it may be back twice: as itself, and as what was sent.
    ...(isReturn(hand) && hand.outcome !== 'done' ? (['settlement of unknown outcome'] as const) : []),
  ];
}

/** What ended a hand-out without its settlement, or may have; null where its settlement is certain. */
export function interruptionOf({ processKills, serverKills }: Ledger, profile: Profile, hand: Hand): Excuse | null {
  const done = hand.outcome === 'done';
  if (done && profile.settleGraceMs === null) return null;
  const until = (hand.endAt ?? Number.POSITIVE_INFINITY) + (profile.settleGraceMs ?? 0);
  if ((processKills.get(hand.process) ?? Number.POSITIVE_INFINITY) <= until) return 'in hand of a killed process';
  // It may have waited in our process for its handler, and a client hears of a kill when its event loop comes to it.
  const from = hand.at - (profile.settleGraceMs ?? 0);
  if (killsWithin(serverKills, from, until) > 0) return 'in hand when the server was killed';
  if (done) return null;
  if (hand.leaseLost || hand.outcome === 'lost') return 'lease lost';
  return hand.settle === null ? null : 'settlement of unknown outcome';
}

function excusesOfCopy({ serverKills }: Ledger, { at, endAt }: SendRecord, index: number): readonly Excuse[] {
  // The library repeats a call whose answer a kill took away.
  const repeats = killsWithin(serverKills, at, endAt ?? Number.POSITIVE_INFINITY);
  // The first copy is the message itself.
  return Array<Excuse>(repeats + (index === 0 ? 0 : 1)).fill('publish of unknown outcome');
}

function excusesOfLegs(ledger: Ledger, profile: Profile, { delayMs, copies, hands }: Course): readonly Excuse[] {
  const begins = [
    ...(delayMs > 0 ? copies.map(({ at }) => at) : []),
    ...hands.flatMap((hand) => (isReturn(hand) && hand.settle !== null ? [hand.settle.at] : [])),
  ];
  const kills = [...ledger.serverKills, ...ledger.processKills.values()];
  return begins.flatMap((from) => {
    const next = hands.find(({ at }) => at > from)?.at ?? Number.POSITIVE_INFINITY;
    const doubled = killsWithin(kills, from, next + (profile.settleGraceMs ?? 0));
    return Array<Excuse>(doubled).fill('copy on its way at a kill');
  });
}

const isReturn = ({ settle }: Hand): boolean => settle?.verb === 'nack' || settle?.verb === 'postpone';

const killsWithin = (kills: readonly number[], from: number, to: number): number =>
  kills.filter((at) => at >= from && at <= to).length;
