import { QueueError } from '../queue/index.js';

/** More losses in a row than any number of competing consumers explains: the store answers false to everything. */
const maxRounds = 50;

/**
 * Runs `round` (load, decide, compare-and-set) until it is `done`. `again`: the record is another one now, mostly
 * because somebody stored in between, so what was decided is out of date. Such a round may have sent nothing.
 */
export async function untilStored(subject: string, round: () => Promise<'done' | 'again'>): Promise<void> {
  for (let rounds = 0; rounds < maxRounds; rounds++) {
    if ((await round()) === 'done') return;
  }
  throw new QueueError(
    `cannot store ${subject}: its record changed under each of ${maxRounds} attempts; check the build store's compareAndSet`,
    { code: 'conflict', retryable: true },
  );
}
