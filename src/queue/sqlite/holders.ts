import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import type { SqliteRow } from '../../sql/sqlite-connection.js';
import { ask, type Steps } from '../../sql/sqlite-steps.js';
import { state } from './state.js';

/** Where a process number means something: the machine, and on Linux the namespace (a container has numbers of its own). */
const thisMachine: string = (() => {
  try {
    return `${hostname()} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return hostname();
  }
})();

/** Those of this process that are open. Another process asks the machine; within one, only this knows. */
const livingHere = new Set<number>();

/** Makes a holder known, with the pauses that it heeds: what it has in hand is taken from it when its process is seen to be gone. */
export function* enter(heeded: string): Steps<number> {
  const [row] = yield* ask(
    'insert into {holders} (machine, pid, started, heeded) values (?, ?, ?, ?) returning holder_id',
    ...[thisMachine, process.pid, startedAt(process.pid) ?? '', heeded],
  );
  return Number(row?.holder_id);
}

export function live(holderId: number): void {
  livingHere.add(holderId);
}

export function die(holderId: number): void {
  livingHere.delete(holderId);
}

export const otherHolders = 'select * from {holders} where holder_id <> ?';

/**
 * Whether a holder's process is certainly gone. Of another machine nobody can tell: its leases end by themselves.
 * A number that was given to a new process has another start time, where the machine tells it.
 */
export function isGone(row: SqliteRow): boolean {
  if (row.machine !== thisMachine) return false;
  const pid = Number(row.pid);
  if (pid === process.pid && row.started === (startedAt(pid) ?? '')) return !livingHere.has(Number(row.holder_id));
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it is there and somebody else's.
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
  const started = startedAt(pid);
  return started !== null && row.started !== '' && started !== row.started;
}

/** What it had in hand is where it was, counted; answers the groups that got something back. */
export function* bury(holderId: number): Steps<readonly number[]> {
  const freed = yield* ask(
    `update {messages} set state = ${state.ready}, claim_token = null
      where state = ${state.inHand} and holder_id = ? returning group_id`,
    holderId,
  );
  yield* ask('delete from {holders} where holder_id = ?', holderId);
  return [...new Set(freed.map((row) => Number(row.group_id)))];
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
