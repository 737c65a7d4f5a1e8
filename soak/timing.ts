import type { Course } from './excuses.js';
import type { Ledger } from './ledger.js';

/** Of each hand-out that was put off, how long after its due time it came, milliseconds; negative is early. Pure. */
export function lagsOf({ copies, hands, delayMs }: Course): readonly number[] {
  // The counts say which settlement a hand-out follows from, whatever copies a kill made. What came of several calls
  // may have come of the first.
  const dues = new Map<string, { readonly from: number; readonly dueAt: number }>();
  const putOff = (counts: string, from: number, ms: number): void => {
    const before = dues.get(counts);
    if (before === undefined || from + ms < before.dueAt) dues.set(counts, { from, dueAt: from + ms });
  };
  for (const { at } of copies) if (delayMs > 0) putOff('1/0', at, delayMs);
  for (const { attempt, postpones, settle } of hands) {
    if (settle?.verb === 'nack') putOff(`${attempt + 1}/${postpones}`, settle.at, settle.delayMs);
    if (settle?.verb === 'postpone') putOff(`${attempt}/${postpones + 1}`, settle.at, settle.delayMs);
  }
  const lags: number[] = [];
  for (const { attempt, postpones, at } of hands) {
    const counts = `${attempt}/${postpones}`;
    const due = dues.get(counts);
    if (due === undefined) continue;
    lags.push(at - due.dueAt);
    dues.delete(counts); // a redelivery of the same hand-out is not late but repeated
  }
  return lags;
}

/** Per server kill, until the last consumer process had something settled again, from the first handshake on, milliseconds. Pure. */
export function recoveriesOf(ledger: Ledger): readonly number[] {
  const settled = settledAt(ledger);
  return ledger.serverReady.map((ready) => {
    const firsts = [...settled.values()].flatMap((times) => {
      const before = (times[0] ?? Number.POSITIVE_INFINITY) < ready;
      const after = times.find((at) => at >= ready);
      // Processes that came later, or were killed before they could show it, tell nothing.
      return before && after !== undefined ? [after - ready] : [];
    });
    return Math.max(0, ...firsts);
  });
}

/** The longest time between two settlements, over all processes, from the first to the last publish, milliseconds. Pure. */
export function longestStopOf(ledger: Ledger): number {
  let lastSendAt = 0;
  for (const { sends } of ledger.messages.values()) for (const { at } of sends) lastSendAt = Math.max(lastSendAt, at);
  const times = [...settledAt(ledger).values()].flat().sort((a, b) => a - b);
  let longest = 0;
  for (let i = 1; i < times.length; i++) {
    const [before = 0, at = 0] = times.slice(i - 1, i + 1);
    if (before <= lastSendAt) longest = Math.max(longest, at - before);
  }
  return longest;
}

/** When each process had something settled, in order. */
function settledAt(ledger: Ledger): ReadonlyMap<string, readonly number[]> {
  const byProcess = new Map<string, number[]>();
  for (const { hands } of ledger.messages.values()) {
    for (const { process, outcome, endAt } of hands) {
      if (outcome !== 'done' || endAt === null) continue;
      const times = byProcess.get(process);
      if (times === undefined) byProcess.set(process, [endAt]);
      else times.push(endAt);
    }
  }
  for (const times of byProcess.values()) times.sort((a, b) => a - b);
  return byProcess;
}
