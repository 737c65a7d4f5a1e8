import { ask, type Steps } from '../../sql/sqlite-steps.js';
import { leavingMs, type QueueFile } from './queue-file.js';

/** Rows that go in one transaction: nothing waits for a long deletion. */
const atOnce = 200;

const anyExpired = `select 1 as expired where exists (select 1 from {keys} where expires_at <= ?1)
  or exists (select 1 from {letters} where expires_at is not null and expires_at <= ?1)`;

/**
 * Removes some of what counts for nothing any more, and only takes room: idempotency keys whose window is over, dead letters that have
 * expired. Called at each probe, so that it goes also where nobody uses keys any more; writes nothing for nothing.
 */
export async function tidy(file: QueueFile, now: number): Promise<void> {
  if ((await file.all(anyExpired, [now])).length === 0) return;
  const remove = function* (): Steps<void> {
    yield* removeExpiredKeys(now, atOnce);
    yield* removeExpiredLetters(now, atOnce);
  };
  await file.write(remove, { durable: false, patienceMs: leavingMs });
}

export function* removeExpiredKeys(now: number, limit: number): Steps<void> {
  yield* ask(
    `delete from {keys} where (topic_id, idempotency_key) in (
      select topic_id, idempotency_key from {keys} where expires_at <= ? limit ?)`,
    ...[now, limit],
  );
}

export function* removeExpiredLetters(now: number, limit: number): Steps<void> {
  yield* ask(
    `delete from {letters} where letter_id in (
      select letter_id from {letters} where expires_at is not null and expires_at <= ? limit ?)`,
    ...[now, limit],
  );
}
