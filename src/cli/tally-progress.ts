import { counted } from './counted.js';
import type { Progress } from './progress.js';
import type { Tally } from './tally.js';

/** How far a run is that began with so many requests. */
export function tallyProgress(tally: Tally, total: number): Progress {
  const states = Object.entries(tally.states).flatMap(([state, count]) => (count === 0 ? [] : [`${count} ${state}`]));
  if (tally.deadLetters.length > 0) states.push(counted(tally.deadLetters.length, 'dead letter'));
  if (tally.polls > 0) states.push(counted(tally.polls, 'poll'));
  return {
    count: { done: tally.ended + tally.deadLetters.length, total },
    what: 'done',
    details: states.length === 0 ? ['starting'] : states,
  };
}
