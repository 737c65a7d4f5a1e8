import assert from 'node:assert/strict';
import {
  type Capabilities,
  type Counts,
  type Death,
  type Driver,
  type DriverSubscription,
  freshCounts,
  type LetterBox,
  type LetterList,
  type Receipt,
  type Received,
  Refusal,
  type Send,
  type SendResult,
  type Settlement,
  type StoredMessage,
} from '../../driver.js';
import { laneOf } from '../../lane.js';
import { silentLogger } from '../../logger.js';
import type { Harness } from '../harness.js';
import { Time } from '../time.js';
import { unhurried } from '../unhurried.js';
import { type Group, type Hold, later, type Moment, nameOf, Reference } from './reference.js';

/** A message as a command describes it: small numbers, so that a failing run reads well. */
export interface Entry {
  readonly topic: 'plain' | 'keyed';
  readonly key: 'a' | 'b' | 'c' | null;
  readonly route: keyof typeof groupsOfRoute;
  readonly delayMs: number;
  readonly once: 'x' | 'y' | null;
}

/** Which groups of each topic accept a routing key: written down, not computed, so that nothing is proved with itself. */
export const groupsOfRoute = {
  eu: ['west', 'pairs'],
  'eu.fr': ['west', 'pairs'],
  'us.fr': ['west', 'pairs'],
  'us.tx': ['pairs'],
  'eu.fr.paris': ['west'],
  us: [],
  none: [],
} as const;

export const patterns = { west: ['eu.#', '*.fr'], pairs: ['*.*', 'eu'] } as const;
const lanes = 3;
const clients = 2;
const prefetch = 12;
const idempotencyWindowMs = 60_000;

interface Reader {
  readonly number: number;
  readonly client: number;
  readonly group: Group;
  readonly subscription: DriverSubscription;
  /** All that it was ever handed. */
  readonly handed: Handed[];
}

interface Handed {
  readonly receipt: Receipt;
  readonly hold: Hold;
}

let runs = 0;

/** A backend with two topics of two groups each, two clients and any number of readers, and beside it what it should be. */
export class Scene {
  readonly reference: Reference;
  readonly time: Time;
  readonly readers: Reader[] = [];
  readonly #harness: Harness;
  readonly #drivers: Driver[];
  readonly #name: string;
  readonly #usedKeys = new Map<string, { readonly id: string; readonly until: Moment }>();
  #messages = 0;
  #readersEver = 0;

  private constructor(harness: Harness, drivers: Driver[]) {
    this.#harness = harness;
    this.#drivers = drivers;
    this.time = new Time(harness.time);
    this.#name = `${harness.namePrefix ?? 'model'}-${process.pid.toString(36)}-${(++runs).toString(36)}`;
    const groups = (['plain', 'keyed'] as const).flatMap((topic) =>
      Object.keys(patterns).map(
        (name): Group => ({ topic, name, ordered: topic === 'keyed', copies: [], letters: [] }),
      ),
    );
    const toleranceMs = this.time.isVirtual ? 0 : 2;
    const { lateMs, isVirtual: ranksEquals } = this.time;
    this.reference = new Reference({ capabilities: this.capabilities, toleranceMs, lateMs, ranksEquals }, groups);
  }

  static async make(harness: Harness): Promise<Scene> {
    const time = new Time(harness.time);
    const drivers: Driver[] = [];
    for (let i = 0; i < clients; i++) drivers.push(await opened(harness, time));
    const scene = new Scene(harness, drivers);
    await scene.#declare();
    return scene;
  }

  get capabilities(): Capabilities {
    return this.#driver(0).capabilities;
  }

  get canKill(): boolean {
    return this.#harness.killSubscriber !== undefined;
  }

  get canCut(): boolean {
    return this.#harness.cutConnections !== undefined;
  }

  group(topic: Entry['topic'], name: string): Group {
    return this.reference.groups.find((group) => group.topic === topic && group.name === name) as Group;
  }

  /** What a reader holds, by this model. */
  held(reader: Reader): readonly Handed[] {
    return reader.handed.filter(({ hold }) => hold.copy.hold === hold);
  }

  async openReader(client: number, group: Group): Promise<void> {
    const number = ++this.#readersEver;
    const lost = new Set<Receipt>();
    const subscription = await this.until(
      this.#driver(client).subscribe({
        topic: this.#topic(group.topic),
        group: group.name,
        prefetch,
        consumer: `${this.#name}-reader-${number}`,
        onLost: (receipts) => {
          for (const receipt of receipts) {
            assert.ok(!lost.has(receipt), 'onLost was called twice for a receipt');
            lost.add(receipt);
          }
        },
      }),
    );
    this.readers.push({ number, client, group, subscription, handed: [] });
  }

  async closeReader(reader: Reader): Promise<void> {
    await this.until(reader.subscription.close());
    this.#forget(reader);
  }

  async send(entries: readonly Entry[]): Promise<void> {
    const batch = entries.map((entry) => this.#sendOf(entry));
    const [results, when] = await this.#during(() => this.#driver(0).send(batch));
    assert.equal(results.length, batch.length, 'send answered another number of results than it was given entries');
    const stopped = new Set<string>();
    for (const [index, entry] of entries.entries()) {
      const line = entry.key === null ? null : `${entry.topic}/${entry.key}`;
      const result = results[index] as SendResult;
      if (line !== null && stopped.has(line)) this.#checkStopped(result);
      else if (!this.#checkSent(entry, batch[index] as Send, result, when) && line !== null) stopped.add(line);
    }
  }

  /** Receives without waiting where nothing is owed, until there is nothing more, or `max`. */
  async receive(reader: Reader, wanted: number): Promise<void> {
    const max = Math.min(wanted, prefetch - this.held(reader).length);
    const endsAt = this.time.now() + this.#patienceMs;
    let got = 0;
    while (got < max) {
      const owed = Math.min(max - got, this.#surelyGets(reader));
      const received = await this.#receiveOnce(reader, max - got, this.time.isVirtual || owed === 0 ? 0 : 250);
      got += received;
      if (received > 0) continue;
      if (this.time.isVirtual || owed === 0) break;
      if (this.time.now() > endsAt) break;
    }
    if (got < max) this.#checkNothingOwed(reader);
  }

  /** A receive that waits for what is to come. */
  async wait(reader: Reader, wanted: number, waitMs: number): Promise<void> {
    const max = Math.min(wanted, prefetch - this.held(reader).length);
    const startedAt = this.time.now();
    const sole = this.isSole(reader);
    const next = this.#surelyGets(reader) > 0 ? startedAt : nextChange(reader.group, startedAt);
    const got = await this.#receiveOnce(reader, max, waitMs);
    // When a key is free again depends on more than time.
    if (!sole || (reader.group.ordered && next > startedAt)) return;
    const what = `${nameOf(reader.group)}: a receive of ${waitMs} ms, something being due after ${next - startedAt} ms`;
    if (got === 0) assert.ok(next + this.time.lateMs >= startedAt + waitMs, `${what}, was answered with nothing`);
    else if (this.time.isVirtual) assert.equal(this.time.now(), next, `${what}, was not answered then`);
  }

  /** A reader waits, and something is published for it. */
  async publishToWaiting(reader: Reader, entry: Entry): Promise<void> {
    const from = this.time.now();
    const receiving = reader.subscription.receive(1, 10_000, unhurried());
    await this.time.pass(this.time.isVirtual ? 0 : 5);
    await this.send([entry]);
    const received = await this.until(receiving);
    const took = this.#admit(reader, 1, received, { from, to: this.time.now() });
    assert.equal(took, 1, `${nameOf(reader.group)}: what was published did not reach a waiting reader`);
  }

  async settle(reader: Reader, settlements: readonly Planned[]): Promise<void> {
    const batch = settlements.map(({ settlement }) => settlement);
    const [results, when] = await this.#during(() => reader.subscription.settle(batch));
    assert.equal(
      results.length,
      batch.length,
      'settle answered another number of results than it was given settlements',
    );
    for (const [index, { hold, settlement, apply, refused }] of settlements.entries()) {
      const ours = hold.copy.hold === hold;
      const expected = !ours ? 'lost' : refused ? 'failed' : 'done';
      const answer = results[index]?.status;
      const what = `${settlement.kind} of ${hold.copy.message.id} in ${nameOf(hold.group)}`;
      assert.equal(answer, expected, `${what} was answered ${answer} instead of ${expected}`);
      if (expected === 'done') apply(when);
    }
  }

  /** The settlement of a message, and what it should change. */
  plan({ receipt, hold }: Handed, kind: Kind, delayMs: number, outbox: readonly Entry[]): Planned {
    const { counts, message } = hold.copy;
    const back = (next: Counts): Planned => ({
      hold,
      refused: false,
      settlement: { kind: 'release', receipt, delayMs: this.delay(delayMs), counts: next },
      apply: (when) => this.reference.release(hold, next, this.reference.due(when, this.delay(delayMs))),
    });
    if (kind === 'nack') {
      const firstFailedAt = counts.firstFailedAt ?? Math.round(this.time.now());
      return back({ ...counts, attempt: counts.attempt + 1, firstFailedAt });
    }
    if (kind === 'postpone') return back({ ...counts, postpones: counts.postpones + 1 });
    if (kind === 'give-back') {
      const apply = (): void => this.reference.giveBack(hold);
      return { hold, refused: false, settlement: { kind, receipt }, apply };
    }
    const sends = outbox.map((entry) => this.#sendOf({ ...entry, once: null }));
    if (kind === 'bury') {
      const death = deathOf(counts, this.time.now());
      const letter: Send = {
        ...this.#emptySend(message),
        target: { kind: 'dead', group: hold.group.name, death, expireAfterMs: null },
        counts,
      };
      const apply = (buried: Moment): void => {
        this.reference.ack(hold);
        hold.group.letters.push({ message, death, buried });
      };
      return { hold, refused: false, settlement: { kind: 'ack', receipt, outbox: [letter] }, apply };
    }
    const apply = (when: Moment): void => {
      this.reference.ack(hold);
      for (const [index, entry] of outbox.entries()) this.#put(entry, sends[index] as Send, when);
    };
    const refused = outbox.some(({ route }) => groupsOfRoute[route].length === 0);
    return { hold, refused, settlement: { kind: 'ack', receipt, outbox: sends }, apply };
  }

  /** Lets leases end, as if their holder had stood still for too long. */
  async loseLeases(reader: Reader, handed: readonly Handed[]): Promise<void> {
    const { lease } = reader.subscription;
    if (lease === null || handed.length === 0) return;
    await this.extend(reader, handed, 1);
    await this.pass(this.time.isVirtual ? 1 : 50);
  }

  async extend(reader: Reader, handed: readonly Handed[], ms: number): Promise<void> {
    const { lease } = reader.subscription;
    if (lease === null) return;
    const receipts = handed.map(({ receipt }) => receipt);
    const [answers, when] = await this.#during(() => lease.extend(receipts, ms));
    const expected = handed.map(({ hold }) => (hold.copy.hold === hold ? 'done' : 'lost'));
    assert.deepEqual(answers, expected, 'extend answered otherwise for what is held or lost');
    for (const { hold } of handed) if (hold.copy.hold === hold) hold.endsAt = later(when, ms);
  }

  async pass(ms: number): Promise<void> {
    await this.time.pass(ms);
    this.reference.expire(this.#now());
  }

  /** Ends a client without a word, after its leases have ended (or nearly), and opens another in its place. */
  async killAndReopen(client: number): Promise<void> {
    const readers = this.readers.filter((reader) => reader.client === client);
    // Leases outlive their holder by up to half a minute: nothing that a real backend could be waited for.
    for (const reader of readers) await this.loseLeases(reader, this.held(reader));
    await this.#harness.killSubscriber?.(this.#driver(client));
    for (const reader of readers) this.#forget(reader);
    this.#drivers[client] = await opened(this.#harness, this.time);
  }

  /** What is held afterwards only the backend knows: leases outlive a connection, channels do not. So it is asked. */
  async cut(client: number): Promise<void> {
    const driver = this.#driver(client);
    await this.#harness.cutConnections?.(driver);
    await this.time.eventually('the driver is connected again after a cut', async () => {
      if (!driver.health().connected) return false;
      return driver.admin.topics().then(
        () => true,
        () => false,
      );
    });
    for (const reader of this.readers.filter((one) => one.client === client)) {
      const held = this.held(reader);
      const { lease } = reader.subscription;
      if (lease === null) {
        this.reference.leave(reader.group, reader.number);
      } else if (held.length > 0) {
        const receipts = held.map(({ receipt }) => receipt);
        const [answers, when] = await this.#during(() => lease.extend(receipts, lease.ms));
        for (const [index, { hold }] of held.entries()) {
          if (answers[index] === 'done') hold.endsAt = later(when, lease.ms);
          else this.reference.lose(hold);
        }
      }
    }
  }

  async checkDepth(group: Group): Promise<void> {
    const look = async (): Promise<string | null> => {
      const depth = await this.until(this.#driver(0).admin.depth(this.#topic(group.topic), group.name));
      const now = this.#now();
      this.reference.expire(now);
      const inHand = group.copies.filter(({ hold }) => hold !== null).length;
      const delayed = group.copies.filter(({ hold, due }) => hold === null && due.from > now.to).length;
      const waiting = group.copies.filter(({ hold, due }) => hold === null && due.from <= now.to);
      const pushes = this.capabilities.lease === null && this.readers.some((reader) => reader.group === group);
      const oldestAgeMs = Math.max(0, ...waiting.map(({ due }) => now.from - due.from));
      const expected: Readonly<Record<Exclude<keyof typeof depth, 'paused'>, number | null>> = {
        // What a backend has pushed is in hand for it, and not yet for the reader.
        ready: pushes ? null : waiting.length,
        inHand: pushes ? null : inHand,
        delayed,
        dead: group.letters.length,
        oldestAgeMs: this.time.isVirtual && !pushes ? oldestAgeMs : null,
      };
      for (const field of Object.keys(expected) as (keyof typeof expected)[]) {
        const known = this.capabilities.depth[field];
        if (known && expected[field] !== null && depth[field] !== expected[field])
          return `${nameOf(group)} has ${field} ${depth[field]} instead of ${expected[field]}`;
        if (!known && depth[field] !== null) return `${nameOf(group)} guesses ${field}, which it says it cannot know`;
      }
      return null;
    };
    let fault = await look();
    const endsAt = this.time.now() + (this.time.isVirtual ? 0 : this.#patienceMs);
    while (fault !== null && this.time.now() < endsAt) {
      await this.time.pass(20);
      fault = await look();
    }
    assert.ok(fault === null, fault ?? '');
  }

  async checkLetters(group: Group): Promise<void> {
    const { admin } = this.#driver(0);
    const letters: unknown[] = [];
    let cursor: string | null = null;
    do {
      const page: LetterList = await this.until(admin.letters(this.#box(group), { limit: 2, cursor }));
      assert.ok(
        page.total === null || page.total === group.letters.length,
        `${nameOf(group)} miscounts its dead letters`,
      );
      for (const { message, death, group: of } of page.letters) letters.push([message.id, message.key, death, of]);
      cursor = page.next;
    } while (cursor !== null);
    const expected = group.letters.map(({ message, death }) => [message.id, message.key, death, group.name]);
    assert.deepEqual(letters, expected, `${nameOf(group)} has other dead letters`);
  }

  async redrive(group: Group, which: number | 'all'): Promise<void> {
    const ids = this.#idsOf(group, which);
    const [count, when] = await this.#during(() => this.#driver(0).admin.redrive(this.#box(group), ids));
    const driven = takeLetters(group, ids);
    assert.equal(count, driven.length, `${nameOf(group)}: redrive answered another number`);
    for (const { message } of driven) this.reference.put(group, message, freshCounts, when);
  }

  async purge(group: Group, which: number | 'all'): Promise<void> {
    const ids = this.#idsOf(group, which);
    const count = await this.until(this.#driver(0).admin.purge(this.#box(group), ids));
    assert.equal(count, takeLetters(group, ids).length, `${nameOf(group)}: purge answered another number`);
  }

  /** All that is owed comes, once, and nothing else: nothing was lost and nothing is there twice. */
  async finish(): Promise<void> {
    for (const reader of [...this.readers]) await this.closeReader(reader);
    const lastDueAt = Math.max(...this.reference.groups.flatMap(({ copies }) => copies.map(({ due }) => due.to)));
    const leftMs = lastDueAt - this.time.now();
    if (leftMs > 0) await this.pass(leftMs);
    for (const group of this.reference.groups) {
      await this.openReader(0, group);
      const reader = this.readers.at(-1) as Reader;
      while (group.copies.length > 0) {
        const before = group.copies.length;
        await this.receive(reader, prefetch);
        await this.settle(
          reader,
          this.held(reader).map((handed) => this.plan(handed, 'ack', 0, [])),
        );
        assert.ok(
          group.copies.length < before,
          `${nameOf(group)} lost ${group.copies.map(({ message }) => message.id)}`,
        );
      }
      assert.equal(await this.#receiveOnce(reader, 1, this.time.isVirtual ? 0 : 20), 0);
      await this.closeReader(reader);
      await this.checkDepth(group);
      await this.checkLetters(group);
      await this.until(this.#driver(0).admin.removeGroup(this.#topic(group.topic), group.name));
    }
  }

  async close(): Promise<void> {
    for (const driver of this.#drivers) await this.until(driver.close()).catch(() => {});
  }

  /** The nearest delay that the backend can keep exactly. */
  delay(ms: number): number {
    const { resolutionMs } = this.capabilities.delay;
    return Math.ceil(ms / resolutionMs) * resolutionMs;
  }

  until<T>(call: Promise<T>, withinMs?: number): Promise<T> {
    return this.time.until(call, withinMs);
  }

  /** What may be refused as a whole: elsewhere a part of an outbox may have left when the rest is refused. */
  sendable(outbox: readonly Entry[]): readonly Entry[] {
    if (this.capabilities.atomicOutbox) return outbox;
    return outbox.filter(({ route }) => groupsOfRoute[route].length > 0);
  }

  /** Whether nothing is owed now. */
  isIdle(group: Group): boolean {
    this.reference.expire(this.#now());
    return group.copies.every(({ hold, due }) => hold !== null || due.from > this.time.now());
  }

  /** Whether what is owed has to come to this very reader. */
  isSole(reader: Reader): boolean {
    const others = this.readers.filter(({ group }) => group === reader.group).length - 1;
    const takesAll = this.capabilities.lease !== null;
    return others === 0 ? takesAll || this.held(reader).length === 0 : takesAll && !reader.group.ordered;
  }

  /** How many a receive must answer, at least. */
  #surelyGets(reader: Reader): number {
    this.reference.expire(this.#now());
    return this.isSole(reader) ? this.reference.owed(reader.group, this.#now()).length : 0;
  }

  async #receiveOnce(reader: Reader, max: number, waitMs: number): Promise<number> {
    const [received, asked] = await this.#during(
      () => reader.subscription.receive(max, waitMs, unhurried()),
      waitMs + 60_000,
    );
    return this.#admit(reader, max, received, asked);
  }

  #admit(reader: Reader, max: number, received: readonly Received[], asked: Moment): number {
    assert.ok(received.length <= max, `${nameOf(reader.group)} handed out more than was asked for`);
    // On a virtual clock a pending call is answered in the instant in which something became due.
    const when = this.time.isVirtual ? { from: asked.to, to: asked.to } : asked;
    this.reference.expire(when);
    for (const one of received) {
      const hold = this.reference.handOut(reader.group, reader.number, one, when, this.isSole(reader));
      reader.handed.push({ receipt: one.receipt, hold });
    }
    return received.length;
  }

  #checkNothingOwed(reader: Reader): void {
    if (!this.isSole(reader)) return;
    const owed = this.reference.owed(reader.group, later(this.#now(), -this.time.lateMs));
    assert.ok(
      owed.length === 0,
      `${nameOf(reader.group)} withholds ${owed.map(({ message }) => message.id).join(', ')}`,
    );
  }

  /** Answers whether it was stored. */
  #checkSent(entry: Entry, send: Send, result: SendResult, when: Moment): boolean {
    const what = `${send.message.id} to ${entry.topic}`;
    const used = send.dedup === null ? undefined : this.#usedKeys.get(`${entry.topic}/${send.dedup.key}`);
    if (used !== undefined && used.until.from > when.to) {
      assert.deepEqual(result, { status: 'duplicate', id: used.id }, `${what}: its idempotency key was used before`);
      return true;
    }
    const groups = groupsOfRoute[entry.route];
    if (groups.length === 0) {
      assert.ok(result.status === 'failed', `${what}: no group accepts it, and it was ${result.status}`);
      assert.ok(result.error instanceof Refusal && result.error.code === 'unroutable', `${what} is unroutable`);
      return false;
    }
    assert.ok(result.status === 'stored', `${what} was ${result.status}`);
    assert.ok(result.groups === null || result.groups === groups.length, `${what} went to ${result.groups} groups`);
    if (send.dedup !== null) {
      const until = later(when, send.dedup.windowMs);
      this.#usedKeys.set(`${entry.topic}/${send.dedup.key}`, { id: send.message.id as string, until });
    }
    this.#put(entry, send, when);
    return true;
  }

  #checkStopped(result: SendResult): void {
    assert.ok(result.status === 'failed', 'an entry was stored after one of its key had failed');
    const { error } = result;
    const retryable = error instanceof Refusal ? error.code === 'conflict' : this.#driver(0).classify(error).retryable;
    assert.ok(retryable, 'an entry that failed because an earlier one of its key did cannot be retried');
  }

  #put(entry: Entry, { message, counts, delayMs }: Send, when: Moment): void {
    for (const name of groupsOfRoute[entry.route])
      this.reference.put(this.group(entry.topic, name), message, counts, this.reference.due(when, delayMs));
  }

  #sendOf({ topic, key, route, delayMs, once }: Entry): Send {
    const id = `${topic[0]}${++this.#messages}${key ?? ''}`;
    const message: StoredMessage = {
      id,
      topic: this.#topic(topic),
      key,
      routingKey: route === 'none' ? null : route,
      headers: { number: id },
      body: Buffer.from(JSON.stringify({ id })),
      publishedAt: 1_750_000_000_000 + this.#messages,
      format: 1,
    };
    const { dedup } = this.capabilities;
    const windowMs = Math.min(idempotencyWindowMs, dedup?.windowMs ?? 0);
    // What is unroutable and was sent before has two right answers.
    const key2 = dedup === null || groupsOfRoute[route].length === 0 ? null : once;
    return {
      ...this.#emptySend(message),
      delayMs: this.delay(delayMs),
      dedup: key2 === null ? null : { key: key2, windowMs },
    };
  }

  #emptySend(message: StoredMessage): Send {
    return {
      target: { kind: 'topic' },
      message,
      lane: message.topic.endsWith('keyed') ? laneOf(message.key ?? (message.id as string), lanes) : 0,
      counts: freshCounts,
      delayMs: 0,
      nonce: `${this.#name}/${++this.#messages}`,
      unmatched: 'reject',
      dedup: null,
    };
  }

  async #declare(): Promise<void> {
    const topics = (['plain', 'keyed'] as const).map((topic) => ({
      name: this.#topic(topic),
      ordering: topic === 'keyed' ? ('key' as const) : ('none' as const),
      lanes: topic === 'keyed' ? lanes : 1,
      groups: Object.entries(patterns).map(([name, list]) => ({ name, patterns: list })),
      maxRedeliveries: 1_000,
      expectedDelaysMs: [],
    }));
    await this.until(this.#driver(0).declare({ topics }, { mode: 'assert', change: false }));
  }

  #forget(reader: Reader): void {
    this.readers.splice(this.readers.indexOf(reader), 1);
    this.reference.leave(reader.group, reader.number);
  }

  async #during<T>(call: () => Promise<T>, withinMs?: number): Promise<[T, Moment]> {
    this.reference.expire(this.#now());
    const from = this.time.now();
    const answer = await this.until(call(), withinMs);
    return [answer, { from, to: this.time.now() }];
  }

  get #patienceMs(): number {
    return 10 * this.time.lateMs;
  }

  #now(): Moment {
    const now = this.time.now();
    return { from: now, to: now };
  }

  #topic(topic: string): string {
    return `${this.#name}-${topic}`;
  }

  #box(group: Group): LetterBox {
    return { kind: 'dead', topic: this.#topic(group.topic), group: group.name };
  }

  #idsOf({ letters }: Group, which: number | 'all'): readonly string[] | 'all' {
    if (which === 'all') return which;
    return letters.length === 0 ? ['nobody'] : [letters[which % letters.length]?.message.id as string];
  }

  #driver(client: number): Driver {
    return this.#drivers[client] as Driver;
  }
}

export type Kind = 'ack' | 'nack' | 'postpone' | 'bury' | 'give-back';

export interface Planned {
  readonly hold: Hold;
  readonly settlement: Settlement;
  /** Whether the backend has to refuse it, because its outbox cannot leave. */
  readonly refused: boolean;
  readonly apply: (when: Moment) => void;
}

async function opened(harness: Harness, time: Time): Promise<Driver> {
  const driver = await harness.client();
  await time.until(driver.open({ logger: silentLogger, emit: () => {} }));
  return driver;
}

function takeLetters(group: Group, ids: readonly string[] | 'all'): Group['letters'] {
  const taken = group.letters.filter(({ message }) => ids === 'all' || ids.includes(message.id as string));
  group.letters = group.letters.filter((letter) => !taken.includes(letter));
  return taken;
}

/** When something may next be handed out that nobody may have now. */
function nextChange({ copies }: Group, now: number): number {
  const times = copies.map(({ due, hold }) => (hold === null ? due.to : (hold.endsAt?.to ?? Number.POSITIVE_INFINITY)));
  return Math.min(...times.filter((at) => at > now));
}

function deathOf({ attempt, postpones, firstFailedAt }: Counts, now: number): Death {
  const at = Math.round(now);
  return {
    cause: 'rejected',
    reason: 'the model says so',
    error: null,
    attempt,
    postpones,
    redeliveries: 0,
    firstFailedAt: firstFailedAt ?? at,
    lastFailedAt: at,
    origin: 'model',
  };
}
