import { ask, type Steps } from '../../sql/sqlite-steps.js';
import type { DriverAdmin, LetterBox, TopicTopology } from '../driver.js';
import type { Catalogue, KnownTopic } from './catalogue.js';
import type { Client } from './client.js';
import { addGroup, removeGroup } from './declaring.js';
import { depthOf } from './depth.js';
import { drain, drainLetters } from './draining.js';
import {
  anyOverdue,
  boxNumber,
  chooseLetters,
  listLetters,
  loseOverdue,
  purgeLetters,
  redriveLetters,
} from './letters.js';
import { pause, resumeGroup } from './pausing.js';
import type { QueueFile } from './queue-file.js';
import { signsOfUse } from './signs-of-use.js';
import { state } from './state.js';

/** Letters moved, or rows deleted, in one transaction: some milliseconds in which the event loop stands still. */
const batchSize = 500;

export function adminOf(client: Client): DriverAdmin {
  const { now } = client;
  const overdueLost = async (): Promise<void> => {
    if ((await client.file.all(anyOverdue, [now()])).length > 0) await client.file.write(() => loseOverdue(now()));
  };
  return {
    topics: () => client.run(async () => (await client.file.catalogue()).topics.map(toldTopic)),
    addGroup: (topic, group) => client.run(() => client.file.write((there) => addGroup(there, topic, group, now()))),
    removeGroup: (topic, group) =>
      client.run(async () => {
        const { file } = client;
        for (const groupId of await file.write((there) => removeGroup(there, topic, group))) await clear(file, groupId);
      }),
    pause: (topic, group) => client.run(() => pause(client, topic, group)),
    resume: (topic, group) => client.run(() => client.file.write((there) => resumeGroup(there, topic, group))),
    drain: (topic, group, max, keep) => client.run(() => drain(client, topic, group, max, keep)),
    drainLetters: (topic, group, max, keep) => client.run(() => drainLetters(client, topic, group, max, keep)),
    signsOfUse: () => client.run(() => signsOfUse(client)),
    depth: (topic, group) => client.run(() => client.file.read((there) => depthOf(there.group(topic, group), now()))),
    letters: (box, page) =>
      client.run(async () => {
        await overdueLost();
        return client.file.read((there) => listLetters(boxNumber(box, there), page, now()));
      }),
    redrive: (box, ids) =>
      client.run(async () => {
        await overdueLost();
        return inBatches(client, box, ids, (numbers, there) => redriveLetters(numbers, there, now()));
      }),
    purge: (box, ids) =>
      client.run(async () => {
        await overdueLost();
        return inBatches(client, box, ids, purgeLetters);
      }),
  };
}

async function inBatches(
  { file, now }: Client,
  box: LetterBox,
  ids: readonly string[] | 'all',
  act: (numbers: readonly number[], there: Catalogue) => Steps<number>,
): Promise<number> {
  const numbers = await file.read((there) => chooseLetters(boxNumber(box, there), ids, now()));
  let done = 0;
  for (let from = 0; from < numbers.length; from += batchSize) {
    const some = numbers.slice(from, from + batchSize);
    done += await file.write((there) => act(some, there));
  }
  return done;
}

/**
 * What a removed group leaves behind, but for what is delayed. First what is in hand: where its holder is found to be gone meanwhile, it goes
 * back to the line, which is deleted after it.
 */
async function clear(file: QueueFile, groupId: number): Promise<void> {
  for (const from of [
    `{claims} where token in (select token from {claims} where group_id = ? limit ${batchSize})`,
    ...[state.inHand, state.behind, state.returned, state.ready].map(
      (of) => `{messages} where row_id in (
        select row_id from {messages} where group_id = ? and state = ${of} limit ${batchSize})`,
    ),
    `{letters} where letter_id in (select letter_id from {letters} where box = ? limit ${batchSize})`,
  ]) {
    while ((await file.write(() => ask(`delete from ${from} returning 1`, groupId))).length === batchSize);
  }
}

function toldTopic({ topicId: _, groups, ...topic }: KnownTopic): TopicTopology {
  return { ...topic, groups: groups.map(({ name, patterns }) => ({ name, patterns })) };
}
