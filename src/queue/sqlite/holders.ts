import { randomInt } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { isMainThread, threadId } from 'node:worker_threads';
import type { SqliteRow } from '../../sql/sqlite-connection.js';
import { ask, type Steps } from '../../sql/sqlite-steps.js';
import { backInLine, divideOf } from './range-claims.js';
import { state } from './state.js';

/** Where a process number means something: the machine, and on Linux the namespace (a container has numbers of its own). */
const thisMachine: string = (() => {
  try {
    return `${hostname()} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return hostname();
  }
})();

/** Empty where the machine does not tell it. */
const startedHere: string = startedAt(process.pid) ?? '';

/**
 * What a worker thread says of its machine: it may end while its process lives, and nobody can ask for it, so that it is waited
 * for as for one of another machine. Others still see at once that its process is gone.
 */
const threadMark = `${thisMachine} thread `;
const thisPlace = isMainThread ? thisMachine : `${threadMark}${threadId}`;

/**
 * Those of this process that have ended, and may have a row. Not those that live: of the holders of another thread, or of a second copy of this
 * module, nobody here knows, and they are not gone.
 */
const endedHere = new Set<number>();

/** How old what a holder said of itself may get before it says so again. */
const freshMs = 10_000;
/** After how long nobody waits for one of another machine any more: it has missed three turns. */
const silentMs = 30_000;
const longSilentMs = 60 * 60 * 1000;

/** A number that no other holder of any process has. */
export function newHolder(): number {
  return randomInt(1, 2 ** 47);
}

/**
 * Says that a holder lives, and which pauses its readers know of: what it has in hand is taken from it when its process is seen to be gone.
 * One that stood still for so long that its row was taken away has it back.
 */
export function* say(holderId: number, heeded: string): Steps<void> {
  yield* ask(
    `insert into {holders} (holder_id, machine, pid, started, heeded, seen_at) values (?, ?, ?, ?, ?, ?)
      on conflict (holder_id) do update set heeded = excluded.heeded, seen_at = excluded.seen_at`,
    ...[holderId, thisPlace, process.pid, startedHere, heeded, Date.now()],
  );
}

export function die(holderId: number): void {
  endedHere.add(holderId);
}

/** It has no row any more. */
export function forget(holderId: number): void {
  endedHere.delete(holderId);
}

export const holders = 'select * from {holders}';

/** Whether a holder has said of late that it lives. */
export function isSeen(row: SqliteRow, now: number): boolean {
  return silenceMs(row, now) <= freshMs;
}

/** Whether a holder of another machine, container or thread has not been seen for so long that nobody need wait for it. */
export function isSilent(row: SqliteRow, now: number): boolean {
  return row.machine !== thisMachine && silenceMs(row, now) > silentMs;
}

/** Whether its row is of no more use, either. */
export function isLongSilent(row: SqliteRow, now: number): boolean {
  return row.machine !== thisMachine && silenceMs(row, now) > longSilentMs;
}

/** A time to come is no newer than one long past: the clock was set back since, and whoever lives has said so again. */
function silenceMs({ seen_at }: SqliteRow, now: number): number {
  return Math.abs(now - Number(seen_at));
}

/** Takes a row away that still is as it was. What it had in hand ends with its lease. */
export function* forgetSilent({ holder_id, seen_at }: SqliteRow): Steps<void> {
  yield* ask('delete from {holders} where holder_id = ? and seen_at = ?', Number(holder_id), Number(seen_at));
}

/**
 * Whether a holder is certainly gone, as its process is, or as it has ended in this one. Of another machine nobody can tell: its leases end by themselves.
 * A number that was given to a new process has another start time, where the machine tells it.
 */
export function isGone(row: SqliteRow): boolean {
  if (row.machine !== thisMachine && !String(row.machine).startsWith(threadMark)) return false;
  const pid = Number(row.pid);
  if (pid === process.pid && row.started === startedHere) return endedHere.has(Number(row.holder_id));
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it is there and somebody else's.
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
  const started = startedAt(pid);
  return started !== null && row.started !== '' && started !== row.started;
}

/** What it had in hand is where it was, counted. */
export function* bury(holderId: number): Steps<void> {
  yield* divideOf(holderId);
  yield* ask(
    `update {messages} set state = ${backInLine}, claim_token = null
      where state = ${state.inHand} and holder_id = ?`,
    holderId,
  );
  yield* ask('delete from {holders} where holder_id = ?', holderId);
}

/** In ticks since the machine started: field 22 of /proc/PID/stat, counted behind the name, which may hold anything. */
function startedAt(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
  }
}
