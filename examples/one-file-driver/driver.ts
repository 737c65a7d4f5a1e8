/**
 * A queue in memory: all that a driver must do, and nothing that it need not. Not durable and without leases;
 * made to be read, so each call looks at every message. `docs/writing-a-driver.md` builds it verb by verb.
 */
import type * as q from 'signalbox/driver';
import { freshCounts, matches, Refusal, sleep, systemClock, topologyDifferences } from 'signalbox/driver';

const capabilities: q.Capabilities = {
  durable: false,
  delay: { resolutionMs: 1, maxMs: 3_650 * 86_400_000 },
  ordering: { lanes: 1_024, keyIsolation: 'full' },
  dedup: null,
  transactions: false,
  atomicOutbox: true,
  singleWriter: false,
  lease: null,
  countsRedeliveries: true,
  countsGiveBack: false,
  depth: { ready: true, delayed: true, inHand: true, dead: true, oldestAgeMs: true },
  limits: { bodyBytes: 1_048_576, nameBytes: 100, headerBytes: 65_536, batch: 1_000, concurrentSends: 1 },
};

/** A message in the line of one group, among its dead letters, or without its group. */
interface Copy {
  readonly number: number;
  box: 'line' | 'dead' | 'lost';
  readonly topic: string;
  readonly group: string;
  readonly message: q.StoredMessage;
  readonly counts: q.Counts;
  readonly dueAt: number; // What fell due first is served first; at one time, what was stored first.
  readonly death: q.Death | null;
  readonly expiresAt: number;
  receipt: Hold | null; // What its holder was given; null while nobody holds it. Each hand-out makes another.
  handOuts: number; // Since the last answer, the present one included.
}
type Hold = { readonly copy: Copy; readonly reader: Reader };
type GroupName = Pick<Copy, 'topic' | 'group'>;
type Ids = readonly string[] | 'all';

const fresh = { box: 'line', death: null, expiresAt: Number.POSITIVE_INFINITY, receipt: null, handOuts: 0 } as const;
const nameOf = ({ topic, group }: GroupName): string => JSON.stringify([topic, group]);
const isOf = (copy: Copy, of: GroupName): boolean => copy.topic === of.topic && copy.group === of.group;
const byName = (a: { readonly name: string }, b: { readonly name: string }): number => (a.name < b.name ? -1 : 1);

/** The first of each key of which nobody in the line has one. */
function firstOfKeys(due: readonly Copy[], line: readonly Copy[]): readonly Copy[] {
  const busy = new Set(line.filter(({ receipt }) => receipt !== null).map(({ message }) => message.key));
  return due.filter(({ message: { key } }) => key === null || (!busy.has(key) && busy.add(key)));
}

/** The backend: what all clients share. */
export class Shelf {
  readonly topics = new Map<string, q.TopicTopology>();
  readonly copies = new Set<Copy>();
  readonly alarms = new Set<AbortController>();
  readonly readers = new Set<Reader>();
  readonly paused = new Set<string>();
  #numbers = 0;

  constructor(readonly clock: q.Clock = systemClock) {}

  tell(): void {
    for (const alarm of this.alarms) alarm.abort();
  }

  setPaused(of: GroupName, paused: boolean): void {
    if (paused) this.paused.add(nameOf(of));
    else this.paused.delete(nameOf(of));
    for (const reader of this.readers) reader.heed();
    this.tell();
  }

  add(copy: Omit<Copy, 'number'>): void {
    this.copies.add({ ...copy, number: ++this.#numbers });
  }

  has(of: GroupName): boolean {
    return this.topics.get(of.topic)?.groups.some(({ name }) => name === of.group) ?? false;
  }

  demand(topic: string, group?: string): q.TopicTopology {
    const there = this.topics.get(topic);
    if (there !== undefined && (group === undefined || this.has({ topic, group }))) return there;
    const missing = there === undefined ? `there is no topic "${topic}"` : `topic "${topic}" has no group "${group}"`;
    throw new Refusal('not-found', missing, 'declare it');
  }

  /** In the order in which it falls due. */
  line(of: GroupName): readonly Copy[] {
    return [...this.copies].filter((it) => it.box === 'line' && isOf(it, of)).sort((a, b) => a.dueAt - b.dueAt);
  }

  letters(box: q.LetterBox, now = this.clock.now()): readonly Copy[] {
    if (box.kind === 'dead') this.demand(box.topic, box.group);
    const all = [...this.copies].filter((it) => it.box === box.kind && (box.kind === 'lost' || isOf(it, box)));
    return all.filter(({ dueAt, expiresAt }) => dueAt <= now && expiresAt > now).sort((a, b) => a.dueAt - b.dueAt);
  }

  /** Which groups take it; throws why it cannot be stored. */
  groupsFor({ target, message, unmatched }: q.Send): readonly string[] {
    const { groups } = this.demand(message.topic, target.kind === 'topic' ? undefined : target.group);
    if (target.kind !== 'topic') return [target.group];
    const taking = groups.filter(({ patterns }) => patterns.some((each) => matches(each, message.routingKey)));
    if (taking.length > 0 || unmatched === 'discard') return taking.map(({ name }) => name);
    throw new Refusal('unroutable', `no group of "${message.topic}" takes the routing key`, 'declare a pattern for it');
  }

  store(send: q.Send): q.SendResult {
    const { target, message, counts, delayMs } = structuredClone(send);
    const groups = this.groupsFor(send);
    const dueAt = this.clock.now() + delayMs;
    const dead = target.kind === 'dead' ? ({ box: 'dead', death: target.death } as const) : null;
    const expiresAt = dueAt + ((target.kind === 'dead' ? target.expireAfterMs : null) ?? Infinity);
    const copy = { ...fresh, ...dead, topic: message.topic, message, counts, dueAt, expiresAt };
    for (const group of groups) this.add({ ...copy, group });
    return { status: 'stored', groups: groups.length };
  }
}

class Reader implements q.DriverSubscription {
  readonly lease = null;
  #closed = false;
  #paused = false;

  constructor(
    readonly client: ShelfDriver,
    readonly options: q.SubscribeOptions,
  ) {
    client.backend.readers.add(this);
    this.heed();
  }

  /** Whoever has what was handed out and is not started must hear of it before `pause` resolves. */
  heed(): void {
    const paused = this.client.shelf.paused.has(nameOf(this.options));
    if (paused !== this.#paused) this.options.onPaused?.(paused);
    this.#paused = paused;
  }

  async receive(max: number, waitMs: number, signal: AbortSignal): Promise<readonly q.Received[]> {
    const shelf = this.client.backend;
    const untilMs = shelf.clock.now() + waitMs;
    if (this.#closed) throw new Refusal('closed', 'the subscription is closed', 'make another one');
    while (!this.#closed && !signal.aborted) {
      const now = shelf.clock.now();
      const { ordering } = shelf.demand(this.options.topic, this.options.group);
      const line = shelf.line(this.options);
      const due = line.filter(({ dueAt, receipt }) => dueAt <= now && receipt === null && !this.#paused);
      const free = (ordering === 'key' ? firstOfKeys(due, line) : due).slice(0, max);
      if (free.length > 0 || now >= untilMs) return free.map((copy) => this.#handOut(copy));
      const nextAt = line.find(({ dueAt }) => dueAt > now)?.dueAt ?? untilMs;
      const alarm = new AbortController();
      shelf.alarms.add(alarm);
      await sleep(shelf.clock, Math.min(untilMs, nextAt) - now, AbortSignal.any([alarm.signal, signal]));
      shelf.alarms.delete(alarm);
    }
    return [];
  }

  #handOut(copy: Copy): q.Received {
    const receipt = { copy, reader: this };
    copy.receipt = receipt;
    return { receipt, message: structuredClone(copy.message), counts: copy.counts, redeliveries: copy.handOuts++ };
  }

  async settle(batch: readonly q.Settlement[]): Promise<readonly q.SettleResult[]> {
    const shelf = this.client.backend;
    const results = batch.map((each) => this.#settle(shelf, each));
    shelf.tell();
    return results;
  }

  #settle(shelf: Shelf, settlement: q.Settlement): q.SettleResult {
    const receipt = settlement.receipt as Hold;
    const { copy } = receipt;
    if (copy.receipt !== receipt || !shelf.copies.has(copy)) return { status: 'lost' };
    const outbox = settlement.kind === 'ack' ? settlement.outbox : [];
    try {
      for (const send of outbox) shelf.groupsFor(send);
    } catch (error) {
      return { status: 'failed', error };
    }
    for (const send of outbox) shelf.store(send);
    copy.receipt = null;
    if (settlement.kind === 'give-back') copy.handOuts--;
    else shelf.copies.delete(copy);
    if (settlement.kind === 'release')
      shelf.add({ ...copy, counts: settlement.counts, dueAt: shelf.clock.now() + settlement.delayMs, handOuts: 0 });
    return { status: 'done' };
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.client.shelf.readers.delete(this);
    for (const copy of this.client.shelf.copies) if (copy.receipt?.reader === this) copy.receipt = null;
    this.client.shelf.tell();
  }
}

/** A client of a shelf. */
export class ShelfDriver implements q.Driver, q.DriverAdmin {
  readonly name = 'shelf';
  readonly capabilities = capabilities;
  readonly admin = this;
  readonly clock: q.Clock;
  readonly #readers = new Set<Reader>();
  #state: 'new' | 'open' | 'closed' = 'new';

  constructor(readonly shelf: Shelf) {
    this.clock = shelf.clock;
  }

  readonly health = (): q.DriverHealth => ({ connected: this.#state === 'open', blocked: null });
  readonly topics = async (): Promise<readonly q.TopicTopology[]> => [...this.backend.topics.values()].sort(byName);
  readonly classify = (): q.Classification => ({ code: 'internal', retryable: false, outcomeUnknown: true });
  readonly purge = async (box: q.LetterBox, ids: Ids): Promise<number> => this.#take(box, ids, () => true).length;

  get backend(): Shelf {
    if (this.#state === 'open') return this.shelf;
    throw new Refusal('closed', 'the driver is closed', 'make another one');
  }

  async open(): Promise<void> {
    if (this.#state !== 'new') throw new Refusal('invalid', 'the driver was opened before', 'make another one');
    this.#state = 'open';
  }

  async declare(topology: q.Topology, options: q.DeclareOptions): Promise<q.DeclareReport> {
    const { topics, copies, clock } = this.backend;
    const report = topologyDifferences([...topics.values()], topology, options);
    for (const topic of options.mode === 'assert' ? topology.topics : []) {
      const groups = new Map(topics.get(topic.name)?.groups.map((group) => [group.name, group]));
      for (const group of topic.groups) groups.set(group.name, group);
      topics.set(topic.name, { ...topic, groups: [...groups.values()].sort(byName) });
    }
    for (const copy of copies)
      if (copy.box === 'lost' && copy.dueAt > clock.now() && this.shelf.has(copy)) copy.box = 'line';
    this.shelf.tell();
    return report;
  }

  async send(batch: readonly q.Send[]): Promise<readonly q.SendResult[]> {
    const shelf = this.backend;
    const stopped = new Set<string>();
    const results = batch.map((send): q.SendResult => {
      const line = JSON.stringify([send.message.topic, send.message.key]);
      try {
        if (stopped.has(line)) throw new Refusal('conflict', 'one before it with its key failed', 'repeat it');
        return shelf.store(send);
      } catch (error) {
        if (send.message.key !== null) stopped.add(line);
        return { status: 'failed', error };
      }
    });
    shelf.tell();
    return results;
  }

  async subscribe(options: q.SubscribeOptions): Promise<Reader> {
    this.backend.demand(options.topic, options.group);
    const reader = new Reader(this, options);
    this.#readers.add(reader);
    return reader;
  }

  async close(): Promise<void> {
    this.#state = 'closed';
    for (const reader of this.#readers) await reader.close();
  }

  async addGroup(topic: string, group: q.GroupTopology): Promise<void> {
    const there = this.backend.demand(topic);
    await this.declare({ topics: [{ ...there, groups: [group] }] }, { mode: 'assert', change: false });
  }

  async removeGroup(topic: string, group: string): Promise<void> {
    const { copies, topics, clock } = this.backend;
    const there = this.shelf.demand(topic);
    for (const copy of [...copies].filter((each) => each.box !== 'lost' && isOf(each, { topic, group })))
      if (copy.dueAt > clock.now()) copy.box = 'lost';
      else copies.delete(copy);
    topics.set(topic, { ...there, groups: there.groups.filter(({ name }) => name !== group) });
    this.shelf.setPaused({ topic, group }, false);
  }

  async pause(topic: string, group: string): Promise<void> {
    this.backend.demand(topic, group);
    this.shelf.setPaused({ topic, group }, true);
  }

  async resume(topic: string, group: string): Promise<void> {
    this.backend.demand(topic, group);
    this.shelf.setPaused({ topic, group }, false);
  }

  async depth(topic: string, group: string): Promise<q.Depth> {
    const dead = this.backend.letters({ kind: 'dead', topic, group }).length;
    const now = this.clock.now();
    const line = this.shelf.line({ topic, group });
    const inHand = line.filter(({ receipt }) => receipt !== null).length;
    const ready = line.filter(({ dueAt, receipt }) => dueAt <= now && receipt === null);
    const delayed = line.length - inHand - ready.length;
    const paused = this.shelf.paused.has(nameOf({ topic, group }));
    return { ready: ready.length, delayed, inHand, dead, oldestAgeMs: now - (ready[0]?.dueAt ?? now), paused };
  }

  async letters(box: q.LetterBox, { limit, cursor }: q.LetterPage): Promise<q.LetterList> {
    const all = this.backend.letters(box);
    const [at, number] = JSON.parse(cursor ?? '[-1, 0]');
    const rest = all.filter((copy) => copy.dueAt > at || (copy.dueAt === at && copy.number > number));
    const letters = rest.slice(0, limit).map(({ message, topic, group, death, dueAt }): q.Letter => {
      return { message: structuredClone(message), topic, group, death, buriedAt: dueAt };
    });
    const next = rest.length > limit ? JSON.stringify([rest[limit - 1]?.dueAt, rest[limit - 1]?.number]) : null;
    return { letters, next, total: all.length };
  }

  async redrive(box: q.LetterBox, ids: Ids): Promise<number> {
    const taken = this.#take(box, ids, (copy) => this.shelf.has(copy));
    for (const copy of taken) this.shelf.add({ ...copy, ...fresh, counts: freshCounts, dueAt: this.clock.now() });
    this.shelf.tell();
    return taken.length;
  }

  #take(box: q.LetterBox, ids: Ids, may: (copy: Copy) => boolean): readonly Copy[] {
    const isMeant = ({ message: { id } }: Copy): boolean => ids === 'all' || (id !== null && ids.includes(id));
    const taken = this.backend.letters(box).filter((copy) => isMeant(copy) && may(copy));
    for (const copy of taken) this.shelf.copies.delete(copy);
    return taken;
  }
}
