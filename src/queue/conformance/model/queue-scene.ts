import assert from 'node:assert/strict';
import { z } from 'zod';
import type { Delivery } from '../../delivery.js';
import { type Counts, type Driver, freshCounts } from '../../driver.js';
import { QueueError } from '../../errors.js';
import type { QueueEventName, QueueEvents } from '../../events.js';
import { openDriver, type Queue } from '../../queue.js';
import type { Subscription } from '../../subscription.js';
import { defineTopic, type Topic } from '../../topic.js';
import type { Harness } from '../harness.js';
import { Time } from '../time.js';
import { type Group, type Hold, type Moment, nameOf, Reference } from './reference.js';
import { type Entry, groupsOfRoute, patterns } from './scene.js';

export type Verb = 'ack' | 'nack' | 'postpone' | 'reject';

type Body = { readonly id: string };

interface Reader {
  readonly number: number;
  readonly group: Group;
  readonly subscription: Subscription<Body>;
  readonly deliveries: AsyncIterator<Delivery<Body>>;
  /** Somebody asked for the next one and waits. */
  waiting: boolean;
  readonly held: Handed[];
}

interface Handed {
  readonly delivery: Delivery<Body>;
  readonly hold: Hold;
  /** Its outbox holds what no group accepts: it can never be acked. */
  poisoned: boolean;
}

const maxAttempts = 3;
const firstBackoffMs = 100;
const counted = ['published', 'settled', 'retried', 'dead-lettered'] as const satisfies QueueEventName[];

let runs = 0;

/** An open queue with two topics of two groups each, and beside it what it should be. What a reader has fetched ahead nobody sees, so order is known per key only. */
export class QueueScene {
  readonly reference: Reference;
  readonly readers: Reader[] = [];
  readonly time: Time;
  readonly #harness: Harness;
  readonly #name: string;
  readonly #topics: Readonly<Record<Entry['topic'], Topic<z.ZodType<Body, Body>>>>;
  readonly #arrived: { readonly reader: Reader; readonly delivery: Delivery<Body>; readonly at: number }[] = [];
  /** How often each fact should have been told, and was. */
  readonly #expected: Record<string, number> = {};
  readonly #told: Record<string, number> = {};
  #driver!: Driver;
  #queue!: Queue;
  #messages = 0;
  #readersEver = 0;

  private constructor(harness: Harness) {
    this.#harness = harness;
    this.time = new Time(harness.time);
    this.#name = `${harness.namePrefix ?? 'model'}-q-${process.pid.toString(36)}-${(++runs).toString(36)}`;
    const groups = Object.fromEntries(Object.entries(patterns).map(([name, list]) => [name, { patterns: list }]));
    const options = {
      schema: z.object({ id: z.string() }),
      groups,
      maxAttempts,
      maxRedeliveries: 10_000,
      backoff: { initialMs: firstBackoffMs, jitter: 0 },
    };
    this.#topics = {
      plain: defineTopic(`${this.#name}-plain`, options),
      keyed: defineTopic(`${this.#name}-keyed`, { ...options, ordering: 'key', lanes: 3 }),
    };
    const both = (['plain', 'keyed'] as const).flatMap((topic) =>
      Object.keys(patterns).map(
        (name): Group => ({ topic, name, ordered: topic === 'keyed', copies: [], letters: [] }),
      ),
    );
    this.reference = new Reference(
      {
        // Leases are kept by the library, so that to whoever reads they look like those of a connection.
        get capabilities() {
          return { ...scene.#driver.capabilities, lease: null };
        },
        toleranceMs: this.time.isVirtual ? 0 : 2,
        lateMs: this.time.lateMs,
        ranksEquals: this.time.isVirtual,
      },
      both,
    );
    const scene = this;
  }

  static async make(harness: Harness): Promise<QueueScene> {
    const scene = new QueueScene(harness);
    await scene.#open();
    return scene;
  }

  get canCut(): boolean {
    return this.#harness.cutConnections !== undefined;
  }

  /** Where time is real, the leases of somebody killed would have to be waited for. */
  get canKill(): boolean {
    const { lease } = this.#driver.capabilities;
    return this.#harness.killSubscriber !== undefined && (this.time.isVirtual || lease === null || lease.ms <= 2_000);
  }

  /** Elsewhere a part of an outbox may have left when the rest is refused. */
  sendable(outbox: readonly Entry[]): readonly Entry[] {
    if (this.#driver.capabilities.atomicOutbox) return outbox;
    return outbox.filter(({ route }) => groupsOfRoute[route].length > 0);
  }

  group(topic: Entry['topic'], name: string): Group {
    return this.reference.groups.find((group) => group.topic === topic && group.name === name) as Group;
  }

  async publish(entry: Entry): Promise<void> {
    const id = this.#newId(entry);
    const { key, delayMs } = entry;
    const from = this.time.now();
    const options = { id, key: key ?? undefined, routingKey: routingKeyOf(entry), headers: { number: id } };
    const publishing = this.#queue
      .publishAfter(this.#topics[entry.topic], { id }, delayMs, options)
      .catch(asQueueError);
    const answer = await this.#until(publishing);
    const groups = groupsOfRoute[entry.route];
    if (groups.length === 0) {
      assert.ok(answer instanceof QueueError && answer.code === 'unroutable', `${id} went where no group accepts it`);
    } else {
      const known = !(answer instanceof QueueError) && answer.groups !== null ? groups.length : null;
      assert.deepEqual(answer, { id, groups: known, duplicate: false });
      this.#expect('published');
      this.#put(entry, id, { from, to: this.time.now() });
    }
    this.observe();
  }

  async publishBatch(entries: readonly Entry[]): Promise<void> {
    const { topic } = entries[0] as Entry;
    const named = entries.map((entry) => ({ entry: { ...entry, topic }, id: this.#newId({ ...entry, topic }) }));
    const from = this.time.now();
    const results = await this.#until(
      this.#queue.publishBatch(
        this.#topics[topic],
        named.map(({ entry, id }) => ({
          body: { id },
          id,
          key: entry.key ?? undefined,
          routingKey: routingKeyOf(entry),
          headers: { number: id },
          delayMs: entry.delayMs,
        })),
      ),
    );
    const when = { from, to: this.time.now() };
    for (const [index, { entry, id }] of named.entries()) {
      const published = groupsOfRoute[entry.route].length > 0;
      assert.equal(results[index]?.status, published ? 'published' : 'failed', `${id} of a batch`);
      if (!published) continue;
      this.#expect('published');
      this.#put(entry, id, when);
    }
    this.observe();
  }

  async subscribe(group: Group, prefetch: number): Promise<void> {
    const topic = this.#topics[group.topic as Entry['topic']];
    const subscription = this.#queue.subscribe(topic, { group: group.name, prefetch });
    const deliveries = subscription[Symbol.asyncIterator]();
    this.readers.push({
      number: ++this.#readersEver,
      group,
      subscription,
      deliveries,
      waiting: false,
      held: [],
    });
  }

  /** Asks for the next one; it may be there at once, or during a later command. */
  async ask(reader: Reader): Promise<void> {
    if (!reader.waiting) {
      reader.waiting = true;
      void reader.deliveries.next().then(({ done, value }) => {
        reader.waiting = false;
        if (done !== true) this.#arrived.push({ reader, delivery: value, at: this.time.now() });
      });
    }
    await this.#turn();
    this.observe();
  }

  async settle(
    reader: Reader,
    handed: Handed,
    verb: Verb,
    delayMs: number | null,
    outbox: readonly Entry[],
  ): Promise<void> {
    const { delivery, hold } = handed;
    const counts = hold.copy.counts;
    const ids = outbox.map((entry) => this.#newId(entry));
    // A second ack finds the outbox of the first.
    if (verb === 'ack' && !handed.poisoned) {
      for (const [index, entry] of outbox.entries()) {
        const { topic, key, delayMs: after } = entry;
        const id = ids[index] as string;
        const options = { id, key: key ?? undefined, routingKey: routingKeyOf(entry), headers: { number: id } };
        await delivery.outbox.publishAfter(this.#topics[topic], { id }, after, options);
      }
      handed.poisoned = outbox.some(({ route }) => groupsOfRoute[route].length === 0);
    }
    const from = this.time.now();
    const settling =
      verb === 'ack'
        ? delivery.ack()
        : verb === 'nack'
          ? delivery.nack(delayMs ?? undefined, 'nacked by the model')
          : verb === 'postpone'
            ? delivery.postpone(delayMs ?? 0)
            : delivery.reject('rejected by the model');
    const error = await this.#until(
      settling.then(
        () => null,
        (reason: unknown) => asQueueError(reason),
      ),
    );
    const when = { from, to: this.time.now() };
    if (verb === 'ack' && handed.poisoned) {
      assert.equal(error?.code, 'unroutable', `the ack of ${delivery.message.id} could not take its outbox along`);
      this.observe();
      return;
    }
    assert.ok(error === null, `${verb} of ${delivery.message.id}: ${error?.message}`);
    reader.held.splice(reader.held.indexOf(handed), 1);
    this.#expect('settled');
    if (verb === 'ack') {
      this.reference.ack(hold);
      for (const [index, entry] of outbox.entries()) this.#put(entry, ids[index] as string, when);
    } else if (verb === 'postpone') {
      this.reference.release(
        hold,
        { ...counts, postpones: counts.postpones + 1 },
        this.reference.due(when, delayMs ?? 0),
      );
    } else if (verb === 'nack' && counts.attempt < maxAttempts) {
      const waitMs = delayMs ?? firstBackoffMs * 2 ** (counts.attempt - 1);
      this.#expect('retried');
      this.reference.release(hold, { ...counts, attempt: counts.attempt + 1 }, this.reference.due(when, waitMs));
    } else {
      this.#expect('dead-lettered');
      this.reference.ack(hold);
      hold.group.letters.push({ message: hold.copy.message, death: deathOf(verb, counts), buried: when });
    }
    this.observe();
  }

  /** What was settled before cannot be settled again, and nothing comes of trying. */
  async settleAgain(reader: Reader, handed: Handed): Promise<void> {
    await this.settle(reader, handed, 'postpone', 0, []);
    const error = await this.#until(handed.delivery.ack().then(() => null, asQueueError));
    assert.equal(error?.code, 'already-settled');
  }

  async closeReader(reader: Reader): Promise<void> {
    await this.#until(reader.subscription.close({ deadlineMs: 0 }));
    // Before anything else is looked at: what it held may be with others already.
    this.#forget(reader);
    this.observe();
  }

  async cut(): Promise<void> {
    await this.#harness.cutConnections?.(this.#driver);
    await this.time.eventually('the driver is connected again after a cut', () => this.#driver.health().connected);
    await this.#turn();
    // What was given back by the cut may be there again: first see what is held no longer.
    for (const reader of this.readers) this.#dropLost(reader);
    for (const group of this.reference.groups) this.#maybeCounted(group);
    this.observe();
  }

  async killAndReopen(): Promise<void> {
    this.observe();
    await this.#harness.killSubscriber?.(this.#driver);
    for (const reader of [...this.readers]) this.#forget(reader);
    await this.#open();
  }

  async pass(ms: number): Promise<void> {
    await this.time.pass(ms);
    this.observe();
  }

  async checkLetters(group: Group): Promise<void> {
    const { letters } = await this.#until(this.#letters(group).list());
    const found = letters.map(({ id, death }) => [id, death?.cause, death?.reason, death?.attempt, death?.postpones]);
    const expected = group.letters.map(({ message, death }) => [
      message.id,
      death.cause,
      death.reason,
      death.attempt,
      death.postpones,
    ]);
    assert.deepEqual(found, expected, `${nameOf(group)} has other dead letters`);
  }

  async redrive(group: Group): Promise<void> {
    const from = this.time.now();
    assert.equal(await this.#until(this.#letters(group).redrive('all')), group.letters.length);
    const when = { from, to: this.time.now() };
    for (const { message } of group.letters.splice(0)) this.reference.put(group, message, freshCounts, when);
    this.observe();
  }

  /** Compares what has arrived since the last look with what may arrive. */
  observe(): void {
    for (const { reader, delivery, at } of this.#arrived.splice(0)) {
      const { message, attempt, postpones, redeliveries } = delivery;
      // It was lost before anybody looked.
      if (!this.readers.includes(reader)) continue;
      const body = Buffer.from(JSON.stringify(message.body));
      const stored = { ...message, topic: reader.group.topic, body, publishedAt: null, format: null };
      assert.equal(message.topic, this.#topics[reader.group.topic as Entry['topic']].name);
      const counts: Counts = { attempt, postpones, firstFailedAt: null };
      const received = { receipt: delivery, message: stored, counts, redeliveries };
      const hold = this.reference.handOut(reader.group, reader.number, received, { from: at, to: at }, false);
      // Asked for here, so that it says later what became of it.
      assert.ok(!delivery.signal.aborted, `${message.id} was handed out when it was lost`);
      reader.held.push({ delivery, hold, poisoned: false });
    }
  }

  /** All that is owed comes, once, and nothing else; and every fact was told once. */
  async finish(): Promise<void> {
    for (const reader of [...this.readers]) await this.closeReader(reader);
    for (const group of this.reference.groups) {
      await this.subscribe(group, 16);
      const reader = this.readers.at(-1) as Reader;
      await this.time.eventually(
        `${nameOf(group)} hands out all that it owes`,
        async () => {
          await this.ask(reader);
          for (const handed of [...reader.held]) await this.settle(reader, handed, 'ack', null, []);
          return group.copies.length === 0;
        },
        200_000,
      );
      await this.ask(reader);
      assert.equal(reader.held.length, 0);
      await this.checkLetters(group);
      await this.closeReader(reader);
      const { ready, delayed, inHand } = await this.#until(this.#queue.admin.depth(this.#topicOf(group), group.name));
      assert.deepEqual([ready ?? 0, delayed ?? 0, inHand ?? 0], [0, 0, 0], `${nameOf(group)} is not empty`);
      await this.#until(this.#queue.admin.removeGroup(this.#topicOf(group), group.name));
    }
    assert.deepEqual(this.#told, this.#expected, 'events were told more or less often than things happened');
  }

  async close(): Promise<void> {
    await this.#until(this.#queue.close({ deadlineMs: 0 })).catch(() => {});
  }

  async #open(): Promise<void> {
    this.#driver = await this.#harness.client();
    const open = this.#harness.openQueue ?? openDriver;
    this.#queue = await this.#until(open(this.#driver, { topics: Object.values(this.#topics), random: () => 0.5 }));
    for (const name of counted) {
      this.#queue.events.on(name, (_: QueueEvents[typeof name]) => {
        this.#told[name] = (this.#told[name] ?? 0) + 1;
      });
    }
  }

  #expect(name: (typeof counted)[number]): void {
    this.#expected[name] = (this.#expected[name] ?? 0) + 1;
  }

  #put(entry: Entry, id: string, when: Moment): void {
    const message = {
      id,
      topic: entry.topic,
      key: entry.key,
      routingKey: routingKeyOf(entry) ?? null,
      headers: { number: id },
      body: Buffer.from(JSON.stringify({ id })),
      publishedAt: null,
      format: null,
    };
    for (const name of groupsOfRoute[entry.route])
      this.reference.put(this.group(entry.topic, name), message, freshCounts, this.reference.due(when, entry.delayMs));
  }

  #newId({ topic, key }: Entry): string {
    return `${topic[0]}${++this.#messages}${key ?? ''}`;
  }

  #letters(group: Group): ReturnType<Queue['admin']['deadLetters']> {
    return this.#queue.admin.deadLetters(this.#topicOf(group), group.name);
  }

  #topicOf(group: Group): Topic {
    return this.#topics[group.topic as Entry['topic']];
  }

  #dropLost(reader: Reader): void {
    for (const handed of [...reader.held]) {
      if (!handed.delivery.signal.aborted) continue;
      this.reference.lose(handed.hold);
      reader.held.splice(reader.held.indexOf(handed), 1);
    }
  }

  #forget(reader: Reader): void {
    this.readers.splice(this.readers.indexOf(reader), 1);
    // What it had fetched ahead may count as handed out.
    this.reference.leave(reader.group, reader.number);
  }

  #maybeCounted(group: Group): void {
    this.reference.leave(group, -1);
  }

  #turn(): Promise<void> {
    return this.time.pass(this.time.isVirtual ? 0 : 10);
  }

  #until<T>(call: Promise<T>): Promise<T> {
    return this.time.until(call);
  }
}

function routingKeyOf({ route }: Entry): string | undefined {
  return route === 'none' ? undefined : route;
}

function asQueueError(reason: unknown): QueueError {
  if (reason instanceof QueueError) return reason;
  throw reason;
}

function deathOf(verb: Verb, { attempt, postpones }: Counts): Group['letters'][number]['death'] {
  return {
    cause: verb === 'nack' ? 'attempts-exhausted' : 'rejected',
    reason: verb === 'nack' ? 'nacked by the model' : 'rejected by the model',
    error: null,
    attempt,
    postpones,
    redeliveries: 0,
    firstFailedAt: 0,
    lastFailedAt: 0,
    origin: '',
  };
}
