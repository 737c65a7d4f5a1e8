import { randomBytes } from 'node:crypto';
import { ask, type Steps } from '../../sql/sqlite-steps.js';
import { Refusal, sleep, systemClock } from '../driver.js';
import type { Catalogue } from './catalogue.js';
import type { Client } from './client.js';
import { newVersion } from './declaring.js';

/** How long another process may take to say that it heeds a pause: it is told by the file, or looks every 500 ms. */
const patienceMs = 10_000;

/** Marks the group, and waits until every driver on the file has said that it knows, or is gone. */
export async function pause({ file }: Client, topic: string, group: string): Promise<void> {
  const token = await file.write((there) => pauseGroup(there, topic, group));
  const giveUp = new AbortController();
  const late = sleep(systemClock, patienceMs, giveUp.signal);
  try {
    for (let isLate = false; ; ) {
      const { rings } = file.bell;
      const missing = Number((await file.all(unheeding, [token]))[0]?.n);
      if (missing === 0) return;
      if (isLate) throw notHeeded(topic, group, missing);
      let stopListening = (): void => {};
      const rung = new Promise<false>((resolve) => {
        stopListening = file.bell.wait(rings, () => resolve(false));
      });
      isLate = await Promise.race([rung, late.then(() => true)]);
      stopListening();
    }
  } finally {
    giveUp.abort();
  }
}

export function* resumeGroup(there: Catalogue, topic: string, group: string): Steps<void> {
  const { groupId, paused } = there.group(topic, group);
  if (paused === null) return;
  yield* ask('update {groups} set paused = null where group_id = ?', groupId);
  yield* newVersion();
}

/** Says which pauses a holder's readers know of. */
export function* heed(holderId: number, tokens: string): Steps<void> {
  yield* ask('update {holders} set heeded = ? where holder_id = ?', tokens, holderId);
}

export function tokensIn({ topics }: Catalogue): string {
  return topics
    .flatMap(({ groups }) => groups.flatMap(({ paused }) => paused ?? []))
    .sort()
    .join(' ');
}

const unheeding = `select count(*) as n from {holders} where instr(heeded, ?) = 0`;

function* pauseGroup(there: Catalogue, topic: string, group: string): Steps<string> {
  const { groupId, paused } = there.group(topic, group);
  if (paused !== null) return paused;
  const token = randomBytes(12).toString('hex');
  yield* ask('update {groups} set paused = ? where group_id = ?', token, groupId);
  yield* newVersion();
  return token;
}

function notHeeded(topic: string, group: string, missing: number): Refusal {
  return new Refusal(
    'timeout',
    `group "${group}" of "${topic}" is paused, but ${missing} of those on the file did not say within ${patienceMs} ms that they have stopped`,
    'pause it again to wait for them again; they stop as soon as they look',
  );
}
