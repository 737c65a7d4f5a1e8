import type { SqliteValue } from '../../sql/sqlite-connection.js';
import { ask, askAll, type Steps } from '../../sql/sqlite-steps.js';
import { noGroup, noTopic, Refusal, type Send, type SendResult, unroutable } from '../driver.js';
import { accepts, type Catalogue, type KnownGroup, type KnownTopic } from './catalogue.js';
import { removeExpiredKeys } from './expiring.js';
import { bury, deadBox } from './letters.js';
import { nextPlaces } from './places.js';
import { promote } from './promoting.js';
import { contentColumns, contentOf } from './rows.js';
import { state } from './state.js';

/** Where a send goes, found before anything is written. */
interface Addressed {
  readonly send: Send;
  readonly topic: KnownTopic;
  readonly groups: readonly KnownGroup[];
}

const columns = ['group_id', 'state', 'place', 'due_at', 'attempt', 'postpones', 'first_failed_at', ...contentColumns];
const rowPlaceholders = `(${columns.map(() => '?').join(', ')})`;

/** A call into the library costs as much as a row does: of 32 rows at once each took 3 us less. */
const rowsAtOnce = 32;
const insertOf = (rows: number): string =>
  `insert into {messages} (${columns.join(', ')}) values ${Array<string>(rows).fill(rowPlaceholders).join(', ')}`;
const insertOne = insertOf(1);
const insertMany = insertOf(rowsAtOnce);

/**
 * Stores a batch, in order; after an entry failed, later ones of its key are not stored.
 */
export function* sendBatch(batch: readonly Send[], catalogue: Catalogue, now: number): Steps<readonly SendResult[]> {
  const addressed = batch.map((send) => addressOf(send, catalogue));
  const reached = new Set(addressed.flatMap((one) => (one instanceof Refusal ? [] : one.groups)));
  const stateOfDue = new Map<number, number>();
  for (const { groupId } of reached) stateOfDue.set(groupId, yield* promote(groupId, now));
  const copies = addressed.reduce((sum, one) => sum + (one instanceof Refusal ? 0 : one.groups.length), 0);
  let place = copies === 0 ? 0 : yield* nextPlaces(copies);
  const broken = new Set<string>();
  const results: SendResult[] = [];
  const rows: SqliteValue[] = [];
  for (const [index, one] of addressed.entries()) {
    const send = batch[index] as Send;
    const line = lineOf(send);
    if (line !== null && broken.has(line)) results.push({ status: 'failed', error: behindFailed(send) });
    else if (one instanceof Refusal) {
      if (line !== null) broken.add(line);
      results.push({ status: 'failed', error: one });
    } else {
      results.push(yield* store(one, { place, stateOfDue, now }, rows));
      place += one.groups.length;
    }
  }
  yield* insertRows(rows);
  return results;
}

/** The values of row after row. */
function* insertRows(values: readonly SqliteValue[]): Steps<void> {
  const [one, many] = [columns.length, rowsAtOnce * columns.length];
  let from = 0;
  for (; from + many <= values.length; from += many) yield* askAll(insertMany, values.slice(from, from + many));
  for (; from < values.length; from += one) yield* askAll(insertOne, values.slice(from, from + one));
}

/** The first refusal that one of these sends would meet, or null. */
export function refusalOf(batch: readonly Send[], catalogue: Catalogue): Refusal | null {
  for (const send of batch) {
    const addressed = addressOf(send, catalogue);
    if (addressed instanceof Refusal) return addressed;
  }
  return null;
}

interface Service {
  /** Of the copy for its first group. */
  readonly place: number;
  /** Of each group, what a message is there that is due now: see `promote`. */
  readonly stateOfDue: ReadonlyMap<number, number>;
  readonly now: number;
}

/** What goes into the table of messages is added to `rows`, value after value. */
function* store(
  { send, topic, groups }: Addressed,
  { place, stateOfDue, now }: Service,
  rows: SqliteValue[],
): Steps<SendResult> {
  if (send.dedup !== null) {
    const holder = yield* useKey(send.dedup, topic.topicId, send.message.id ?? '', now);
    if (holder !== null) return { status: 'duplicate', id: holder };
  }
  if (send.target.kind === 'dead') {
    const [group] = groups as readonly [KnownGroup];
    yield* bury(deadBox(topic.name, group), send, send.target, now);
    return { status: 'stored', groups: 1 };
  }
  const { attempt, postpones, firstFailedAt } = send.counts;
  for (const [index, group] of groups.entries()) {
    const inLine = send.delayMs > 0 ? state.delayed : (stateOfDue.get(group.groupId) ?? state.ready);
    rows.push(group.groupId, inLine, place + index, dueAt(now, send.delayMs));
    rows.push(attempt, postpones, firstFailedAt, ...contentOf(send.message));
  }
  return { status: 'stored', groups: groups.length };
}

/** Due times are whole milliseconds: up, so that nothing is early. */
export function dueAt(now: number, delayMs: number): number {
  return delayMs > 0 ? Math.ceil(now + delayMs) : Math.floor(now);
}

function addressOf(send: Send, catalogue: Catalogue): Addressed | Refusal {
  const topic = catalogue.find(send.message.topic);
  if (topic === undefined) return noTopic(send.message.topic);
  const { target } = send;
  if (target.kind !== 'topic') {
    const group = topic.groups.find(({ name }) => name === target.group);
    return group === undefined ? noGroup(topic.name, target.group) : { send, topic, groups: [group] };
  }
  const groups = topic.groups.filter((group) => accepts(group, send.message.routingKey));
  if (groups.length > 0 || send.unmatched === 'discard') return { send, topic, groups };
  return unroutable(topic.name, send.message.routingKey);
}

/** Takes the key for the window; answers the id of the message that has it already, or null. */
function* useKey(
  { key, windowMs }: { readonly key: string; readonly windowMs: number },
  topicId: number,
  id: string,
  now: number,
): Steps<string | null> {
  // A few at a time, for processes that end before they tidy: nothing waits for a long deletion.
  yield* removeExpiredKeys(now, 20);
  const [used] = yield* ask(
    'select message_id from {keys} where topic_id = ? and idempotency_key = ? and expires_at > ?',
    ...[topicId, key, now],
  );
  if (used !== undefined) return String(used.message_id);
  yield* ask(
    `insert or replace into {keys} (topic_id, idempotency_key, message_id, expires_at)
      values (?, ?, ?, ?)`,
    ...[topicId, key, id, Math.ceil(now + windowMs)],
  );
  return null;
}

/** Topic and key together, as one text; null: the send is in no line. */
function lineOf({ message: { topic, key } }: Send): string | null {
  return key === null ? null : JSON.stringify([topic, key]);
}

function behindFailed({ message: { topic } }: Send): Refusal {
  return new Refusal(
    'conflict',
    `an earlier message of the same key of topic "${topic}" was not stored`,
    'send it again, after the earlier one',
  );
}
