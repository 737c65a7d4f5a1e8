import type { Spread } from '../bench/spread.js';
import type { Account } from './account.js';
import type { Mix } from './plan.js';

/** What a run was, beside what became of it. */
export interface Facts {
  readonly backend: string;
  readonly version: string;
  readonly node: string;
  readonly seed: number;
  readonly mix: Mix;
  readonly seconds: number;
  readonly consumers: number;
  readonly processKills: number;
  readonly serverKills: number;
  /** How long the server was away at each kill, milliseconds. */
  readonly downMs: readonly number[];
}

/** The account for people. Pure. */
export function reportOf(facts: Facts, account: Account, broken: readonly string[]): string {
  const { published, duplicates, deadLetters } = account;
  const again = Object.values(duplicates).reduce((sum, count) => sum + count, 0);
  const lines: readonly (readonly [string, string])[] = [
    [
      'server',
      `${facts.backend} ${facts.version}, Node ${facts.node}, ${facts.mix}, seed ${facts.seed}, ${facts.seconds.toFixed(0)} s`,
    ],
    [
      'killed -9',
      `${facts.processKills} of ${facts.consumers} consumer processes, the server ${facts.serverKills} times (away ${list(facts.downMs)})`,
    ],
    [
      'published',
      `${count(published.stored)} confirmed, ${published.unknown} of unknown outcome, ${published.refused} refused; ${count(account.invoices)} more from outboxes`,
    ],
    ['hand-outs', count(account.handOuts)],
    ['lost', `${account.lost.length} (${account.settledUnanswered} were settled by an ack that nobody answered)`],
    ['duplicates', `${again}, of them unexplained ${account.unexplained.length}${reasons(duplicates)}`],
    ['early', `${account.early.length}`],
    ['key order', `${account.inversions.length} inversions, ${account.overlaps.length} times two in hand`],
    ['stored though refused', `${account.phantoms.length}`],
    [
      'dead letters',
      `${deadLetters.found}, missing ${deadLetters.missing.length}, uncalled for ${deadLetters.uncalled.length}`,
    ],
    ['lateness', `${spread(account.lateness)}; with kills ${spread(account.latenessWithKills)}`],
    ['working again', `${list(account.recoveryMs)} after the first handshake, the last process`],
    ['longest stop', `${Math.round(account.longestStopMs)} ms`],
    [
      'errors seen',
      Object.entries(account.errors)
        .map(([error, times]) => `${error} (${times})`)
        .join(', ') || 'none',
    ],
  ];
  const table = lines.map(([name, value]) => `${name.padEnd(22)} ${value}`).join('\n');
  const verdict =
    broken.length === 0 ? 'every promise was kept' : broken.map((promise) => `BROKEN: ${promise}`).join('\n');
  return `${table}\n\n${verdict}`;
}

const count = (value: number): string => value.toLocaleString('en');

const list = (values: readonly number[]): string =>
  values.length === 0 ? 'never' : values.map((ms) => `${Math.round(ms)} ms`).join(', ');

const spread = ({ count: size, p50, p99, max }: Spread): string =>
  `p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, max ${max.toFixed(0)} ms (${count(size)})`;

function reasons(duplicates: Account['duplicates']): string {
  const given = Object.entries(duplicates).filter(([, times]) => times > 0);
  return given.length === 0 ? '' : `: ${given.map(([excuse, times]) => `${times} ${excuse}`).join(', ')}`;
}
