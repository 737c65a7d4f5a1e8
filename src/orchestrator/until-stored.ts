import { QueueError } from '../queue/index.js';

/** More losses in a row than any number of competing consumers explains: the store answers false to everything. */
const maxRounds = 50;

/**
 * Runs `round` (load, decide, compare-and-set) until it answers something else than `lost`: somebody stored in
 * between, so what was decided is out of date. Nothing may have been sent by a round that lost.
 */
export async function untilStored(subject: string, round: () => Promise<'done' | 'lost'>): Promise<void> {
  for (let rounds = 0; rounds < maxRounds; rounds++) {
    if ((await round()) === 'done') return;
  }
  throw new QueueError(
    `cannot store ${subject}: its record changed under each of ${maxRounds} attempts; check the build store's compareAndSet`,
    { code: 'conflict', retryable: true },
  );
}
