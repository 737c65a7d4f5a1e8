import type { Capabilities } from '../driver.js';
import type { Harness } from './harness.js';

interface Need {
  /** A capability that is not declared makes a case not applicable; what the harness cannot do leaves it unexercised. */
  readonly of: 'backend' | 'harness';
  readonly met: (capabilities: Capabilities, harness: Harness) => boolean;
  /** Completes `not applicable: …` or `not exercised: …`. */
  readonly otherwise: string;
}

const declares = (otherwise: string, met: (capabilities: Capabilities) => boolean): Need => ({
  of: 'backend',
  met,
  otherwise: `the backend declares ${otherwise}`,
});

const hook = (name: keyof Harness): Need => ({
  of: 'harness',
  met: (_, harness) => harness[name] !== undefined,
  otherwise: `the harness has no ${name}`,
});

/** What a case may need beyond the driver interface, by name. `no …` is for the cases that prove a refusal. */
const needs = {
  durable: declares('durable: false', ({ durable }) => durable),
  dedup: declares('no dedup', ({ dedup }) => dedup !== null),
  'no dedup': declares('dedup', ({ dedup }) => dedup === null),
  transactions: declares('no transactions', ({ transactions }) => transactions),
  'no transactions': declares('transactions', ({ transactions }) => !transactions),
  atomicOutbox: declares('no atomicOutbox', ({ atomicOutbox }) => atomicOutbox),
  'no atomicOutbox': declares('atomicOutbox', ({ atomicOutbox }) => !atomicOutbox),
  'many writers': declares('singleWriter', ({ singleWriter }) => !singleWriter),
  lease: declares('no lease', ({ lease }) => lease !== null),
  'no lease': declares('a lease', ({ lease }) => lease === null),
  countsRedeliveries: declares('no countsRedeliveries', ({ countsRedeliveries }) => countsRedeliveries),
  'give-backs not counted': declares('countsGiveBack', ({ countsGiveBack }) => !countsGiveBack),
  'full key isolation': declares('keyIsolation: window', ({ ordering }) => ordering.keyIsolation === 'full'),
  'window of keys': declares('keyIsolation: full', ({ ordering }) => ordering.keyIsolation === 'window'),
  cutConnections: hook('cutConnections'),
  killSubscriber: hook('killSubscriber'),
  restartBackend: hook('restartBackend'),
  clientWithWrongClock: hook('clientWithWrongClock'),
  beginTransaction: hook('beginTransaction'),
  sendForeign: hook('sendForeign'),
  backendNow: hook('backendNow'),
  'virtual time': {
    of: 'harness',
    met: (_, { time }) => time.kind === 'virtual',
    otherwise: 'it takes minutes, and the time of the harness is real',
  },
} as const satisfies Record<string, Need>;

export type NeedName = keyof typeof needs;

export type Obstacle = { readonly status: 'not-applicable' | 'needs-faults'; readonly reason: string };

/** Why a case cannot be run here, or null when it can. What the harness lacks is said first: it can be added. */
export function obstacleTo(names: readonly NeedName[], capabilities: Capabilities, harness: Harness): Obstacle | null {
  const unmet = names.map((name): Need => needs[name]).filter(({ met }) => !met(capabilities, harness));
  const missing = unmet.find(({ of }) => of === 'harness') ?? unmet[0];
  if (missing === undefined) return null;
  return { status: missing.of === 'harness' ? 'needs-faults' : 'not-applicable', reason: missing.otherwise };
}
