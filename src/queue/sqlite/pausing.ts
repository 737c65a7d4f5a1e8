import { randomBytes } from 'node:crypto';
import { ask, type Steps } from '../../sql/sqlite-steps.js';
import { Refusal, sleep, systemClock } from '../driver.js';
import type { Catalogue } from './catalogue.js';
import type { Client } from './client.js';
import { newVersion } from './declaring.js';
import { isGone, isSilent } from './holders.js';
import type { QueueFile } from './queue-file.js';

/** How long another process may take to say that it heeds a pause: it is told by the file, or looks every 500 ms. */
const patienceMs = 10_000;
/** One that was not seen for long may only have been kept from saying so by the lock that the pause waited for, too. */
const graceMs = 1_000;
const lookMs = 500;

/** Marks the group, and waits until every driver on the file has said that it knows, is gone, or was not seen for long. */
export async function pause({ file }: Client, topic: string, group: string): Promise<void> {
  const token = await file.write((there) => pauseGroup(there, topic, group));
  const startedAt = systemClock.now();
  for (;;) {
    const { rings } = file.bell;
    const waitedMs = systemClock.now() - startedAt;
    const missing = (await file.all(unheeding, [token])).filter(
      (row) => !isGone(row) && (waitedMs < graceMs || !isSilent(row, Date.now())),
    );
    if (missing.length === 0) return;
    if (waitedMs >= patienceMs) throw notHeeded(topic, group, missing.length);
    await news(file, rings);
  }
}

/** Resolves when somebody writes, or it is time to look anyhow. */
async function news({ bell }: QueueFile, rings: number): Promise<void> {
  const rung = new AbortController();
  const stopListening = bell.wait(rings, () => rung.abort());
  await sleep(systemClock, lookMs, rung.signal);
  stopListening();
}

export function* resumeGroup(there: Catalogue, topic: string, group: string): Steps<void> {
  const { groupId, paused } = there.group(topic, group);
  if (paused === null) return;
  yield* ask('update {groups} set paused = null where group_id = ?', groupId);
  yield* newVersion();
}

export function tokensIn({ topics }: Catalogue): string {
  return topics
    .flatMap(({ groups }) => groups.flatMap(({ paused }) => paused ?? []))
    .sort()
    .join(' ');
}

const unheeding = 'select * from {holders} where instr(heeded, ?) = 0';

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
