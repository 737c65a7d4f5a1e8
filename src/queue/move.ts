import { createHash, randomUUID } from 'node:crypto';
import { backoff } from './backoff.js';
import { callBackoff } from './call-queue.js';
import { type Clock, sleep, systemClock } from './clock.js';
import {
  type Depth,
  type DrainedLetter,
  type Driver,
  freshCounts,
  type Identified,
  type Send,
  type StoredMessage,
  type Target,
  type TopicTopology,
  type Waiting,
} from './driver.js';
import { QueueError } from './errors.js';
import { classifyWith, wrapError } from './failure.js';
import { laneOf } from './lane.js';
import { type Logger, silentLogger } from './logger.js';
import { idOf } from './message.js';

export interface MoveOptions {
  /** Move although the source seems to be published to or consumed. */
  readonly evenIfInUse?: boolean | undefined;
  /** Wait for what the source cannot give before it falls due. */
  readonly wait?: boolean | undefined;
  /** How far apart the two looks are by which use of the source is seen, milliseconds. Default: 2 000. */
  readonly watchMs?: number | undefined;
  /** How long what is in hand in the source may take to be settled, milliseconds. Default: 10 000. */
  readonly inHandMs?: number | undefined;
  readonly clock?: Clock | undefined;
  readonly logger?: Logger | undefined;
  /** Called after each batch. */
  readonly onProgress?: ((report: MoveReport) => void) | undefined;
}

/** What was moved from one group. */
export interface MovedGroup {
  readonly topic: string;
  readonly group: string;
  readonly messages: number;
  readonly deadLetters: number;
}

export interface MoveReport {
  readonly groups: readonly MovedGroup[];
  /** What is still in the source. */
  readonly left: MoveRest;
}

export interface MoveRest {
  /** In the groups, ready or delayed: published meanwhile, or held up by a consumer that keeps its lane. */
  readonly waiting: number;
  /** Delayed messages that fall due by themselves; run it again then, or with `wait`. */
  readonly inTransit: number;
  /** In hand with consumers of the source; 0 where the source cannot tell. */
  readonly inHand: number;
  /** Of groups that are gone: there is no place for them. */
  readonly lostLetters: number;
}

/** What is in the source, per group, as far as it can tell. */
export interface MovePlan {
  readonly groups: readonly { readonly topic: string; readonly group: string; readonly depth: Depth }[];
  readonly left: MoveRest;
}

/** How much is taken from a group at a time. */
const batchMessages = 500;

/** How often what is waited for is looked at. */
const lookEveryMs = 1_000;

/** How many rounds may find messages that they do not get. */
const stuckRounds = 10;

/** How often a batch is sent before the move gives up; it can be run again. */
const sendTries = 6;

/** What would be moved. Changes nothing. Opens the driver, and closes it. */
export function planMove(from: Driver, { logger = silentLogger }: Pick<MoveOptions, 'logger'> = {}): Promise<MovePlan> {
  return withOpen([from], logger, () => lookAt(from));
}

function lookAt(from: Driver): Promise<MovePlan> {
  return asked('look at the queue that is to be moved', from, async () => {
    const groups: { topic: string; group: string; depth: Depth }[] = [];
    for (const { name: topic, groups: named } of await from.admin.topics())
      for (const { name: group } of named) groups.push({ topic, group, depth: await from.admin.depth(topic, group) });
    return { groups, left: await restOf(from, groups) };
  });
}

/**
 * Moves every message of every group, and the dead letters, from one backend to another: same ids, counts, keys, headers and
 * order, delays with what is left of them. The source's groups are paused and stay so. Opens both drivers, and closes them.
 * Ended at any point, it can be called again, with new drivers, and goes on.
 *
 * Rejects with `conflict` when the source is in use, `unsupported` when it cannot be moved from, `topology-mismatch` when the
 * target has a topic of the same name that differs, and with what the backends answer.
 */
export function moveMessages(from: Driver, to: Driver, options: MoveOptions = {}): Promise<MoveReport> {
  return withOpen([from, to], options.logger ?? silentLogger, () => moveAll(from, to, options));
}

async function moveAll(from: Driver, to: Driver, options: MoveOptions): Promise<MoveReport> {
  const { clock = systemClock, watchMs = 2_000, inHandMs = 10_000, evenIfInUse = false, wait = false } = options;
  if (from.admin.drain === undefined || from.admin.drainLetters === undefined) {
    throw new QueueError(
      `cannot move a queue from ${from.name}: its driver cannot give its messages away; move from another backend`,
      {
        code: 'unsupported',
        backend: from.name,
      },
    );
  }
  if (!evenIfInUse) await demandQuiet(from, clock, watchMs);
  const topics = await asked('move a queue', from, () => from.admin.topics());
  for (const { name, groups } of topics)
    for (const group of groups)
      await asked(`pause group "${group.name}" of "${name}"`, from, () => from.admin.pause(name, group.name));
  await inHandSettled(from, clock, { inHandMs, evenIfInUse });
  await asked('declare the topology of the queue that is moved', to, () =>
    to.declare({ topics }, { mode: 'assert', change: false }),
  );
  const move = new Move(from, to, clock, options.onProgress);
  // Twice where there are queues of delays: what has left one may be on its way.
  const quietRounds = from.admin.inTransit === undefined ? 1 : 2;
  for (let quiet = 0, stuck = 0; ; ) {
    const moved = await move.round(topics);
    const left = await asked('look at what is left', from, async () => restOf(from, (await lookAt(from)).groups));
    quiet = moved + left.waiting + left.inTransit > 0 ? 0 : quiet + 1;
    stuck = moved === 0 && left.waiting > 0 ? stuck + 1 : 0;
    const isLater = moved + left.waiting === 0 && left.inTransit > 0 && !wait;
    if (quiet >= quietRounds || isLater || stuck >= stuckRounds) return { groups: move.groups, left };
    if (moved === 0) await sleep(clock, lookEveryMs);
  }
}

/** One run of it: what was moved so far. */
class Move {
  readonly #from: Driver;
  readonly #to: Driver;
  readonly #clock: Clock;
  readonly #onProgress: (report: MoveReport) => void;
  readonly #moved = new Map<string, { -readonly [field in keyof MovedGroup]: MovedGroup[field] }>();
  #sent = 0;

  constructor(from: Driver, to: Driver, clock: Clock, onProgress: MoveOptions['onProgress']) {
    this.#from = from;
    this.#to = to;
    this.#clock = clock;
    this.#onProgress = onProgress ?? (() => {});
  }

  get groups(): readonly MovedGroup[] {
    return [...this.#moved.values()].map((each) => ({ ...each }));
  }

  /** Everything that is there now. Answers how much that was. */
  async round(topics: readonly TopicTopology[]): Promise<number> {
    let moved = 0;
    for (const topic of topics) {
      for (const { name } of topic.groups) {
        const of = this.#of(topic.name, name);
        const before = of.messages + of.deadLetters;
        await this.#messages(topic, name, of);
        await this.#letters(topic, name, of);
        moved += of.messages + of.deadLetters - before;
      }
    }
    return moved;
  }

  #of(topic: string, group: string): { -readonly [field in keyof MovedGroup]: MovedGroup[field] } {
    const name = JSON.stringify([topic, group]);
    const of = this.#moved.get(name) ?? { topic, group, messages: 0, deadLetters: 0 };
    this.#moved.set(name, of);
    return of;
  }

  async #messages(topic: TopicTopology, group: string, of: { messages: number }): Promise<void> {
    const keep = (waiting: readonly Waiting[]): Promise<void> =>
      this.#store(
        waiting.map((one) => {
          const { counts, delayMs } = one;
          return this.#entry(topic, one, { target: { kind: 'group', group }, counts, delayMs });
        }),
      );
    for (;;) {
      const taken = await asked(`take messages of group "${group}" of "${topic.name}"`, this.#from, async () =>
        this.#from.admin.drain?.(topic.name, group, this.#batch, keep),
      );
      if (!taken) return;
      of.messages += taken;
      this.#tell();
    }
  }

  async #letters(topic: TopicTopology, group: string, of: { deadLetters: number }): Promise<void> {
    const keep = (letters: readonly DrainedLetter[]): Promise<void> =>
      this.#store(
        letters.map((letter) => {
          const { death, expiresInMs: expireAfterMs = null } = letter;
          const target = { kind: 'dead', group, death, expireAfterMs } as const;
          return this.#entry(topic, letter, { target, counts: freshCounts, delayMs: 0 });
        }),
      );
    for (;;) {
      const taken = await asked(`move the dead letters of group "${group}" of "${topic.name}"`, this.#from, async () =>
        this.#from.admin.drainLetters?.(topic.name, group, this.#batch, keep),
      );
      if (!taken) return;
      of.deadLetters += taken;
      this.#tell();
    }
  }

  get #batch(): number {
    return Math.min(batchMessages, this.#to.capabilities.limits.batch);
  }

  /** Without an identity it cannot be told from one that is just like it: it may be stored twice, and is never taken for the other. */
  #entry(
    topic: TopicTopology,
    { message, identity }: Identified & { readonly message: StoredMessage },
    what: Pick<Send, 'target' | 'counts' | 'delayMs'>,
  ): Send {
    const { dedup } = this.#to.capabilities;
    const nonce = `move ${identity === null ? randomUUID() : fingerprint(identity, message, what.target).slice(0, 40)}`;
    return {
      ...what,
      message,
      lane: laneOf(message.key ?? idOf(message), topic.lanes),
      nonce,
      unmatched: 'reject',
      dedup: dedup === null || identity === null ? null : { key: nonce, windowMs: dedup.windowMs },
    };
  }

  /** In order. What failed and may succeed is sent again; a refusal ends the move, with nothing removed from the source. */
  async #store(sends: readonly Send[]): Promise<void> {
    const operation = 'store what is moved';
    for (let left = sends, tries = 1; left.length > 0; tries++) {
      const batch = left.slice(0, this.#to.capabilities.limits.batch);
      const rest = left.slice(batch.length);
      let failed: Send[] = [];
      let why: unknown = null;
      try {
        const results = await this.#to.send(batch);
        for (const [index, result] of results.entries()) {
          if (result.status !== 'failed') continue;
          failed.push(batch[index] as Send);
          why ??= result.error;
        }
        this.#sent += batch.length - failed.length;
      } catch (error) {
        failed = [...batch];
        why = error;
      }
      if (failed.length > 0) {
        if (tries >= sendTries || !classifyWith(this.#to)(why).retryable) throw wrapError(operation, this.#to, why);
        await sleep(this.#clock, backoff(tries, callBackoff, Math.random()));
      } else {
        tries = 0;
      }
      left = [...failed, ...rest];
    }
  }

  #tell(): void {
    this.#onProgress({ groups: this.groups, left: { waiting: 0, inTransit: 0, inHand: 0, lostLetters: 0 } });
  }
}

/** One message of one group, or one letter. With its content, in case numbers come again where two backends are moved to one. */
function fingerprint(identity: string, message: StoredMessage, target: Target): string {
  const { id, topic, key, routingKey, headers, publishedAt, format, body } = message;
  const group = target.kind === 'topic' ? null : [target.kind, target.group];
  const hash = createHash('sha256');
  const sorted = Object.entries(headers).sort(([one], [other]) => (one < other ? -1 : 1));
  hash.update(JSON.stringify([identity, group, id, topic, key, routingKey, sorted, publishedAt, format]));
  return hash.update(body).digest('hex');
}

async function restOf(from: Driver, groups: MovePlan['groups']): Promise<MoveRest> {
  return {
    waiting: groups.reduce((sum, { depth }) => sum + (depth.ready ?? 0) + (depth.delayed ?? 0), 0),
    inTransit: (await from.admin.inTransit?.()) ?? 0,
    inHand: groups.reduce((sum, { depth }) => sum + (depth.inHand ?? 0), 0),
    lostLetters: (await from.admin.letters({ kind: 'lost' }, { limit: 1, cursor: null })).total ?? 0,
  };
}

/** Rejects with `conflict` when something moves by itself. */
async function demandQuiet(from: Driver, clock: Clock, watchMs: number): Promise<void> {
  const before = await lookAt(from);
  await sleep(clock, watchMs);
  const after = await lookAt(from);
  const held = after.groups.find(({ depth }) => (depth.inHand ?? 0) > 0);
  if (held !== undefined) {
    throw inUse(from, `group "${held.group}" of "${held.topic}" has ${held.depth.inHand} messages in hand`);
  }
  // What falls due in between is no use of the queue.
  if (after.left.inTransit < before.left.inTransit) return;
  for (const { topic, group, depth } of after.groups) {
    const then = before.groups.find((each) => each.topic === topic && each.group === group)?.depth;
    const count = (one: Depth | undefined): number => (one?.ready ?? 0) + (one?.delayed ?? 0) + (one?.inHand ?? 0);
    if (count(then) === count(depth)) continue;
    throw inUse(from, `group "${group}" of "${topic}" had ${count(then)} messages and has ${count(depth)} now`);
  }
}

/** Groups are paused: what is in hand becomes less, unless somebody has hung. */
async function inHandSettled(
  from: Driver,
  clock: Clock,
  { inHandMs, evenIfInUse }: { readonly inHandMs: number; readonly evenIfInUse: boolean },
): Promise<void> {
  const untilMs = clock.now() + inHandMs;
  for (;;) {
    const { inHand } = (await lookAt(from)).left;
    if (inHand === 0 || (evenIfInUse && clock.now() >= untilMs)) return;
    if (clock.now() >= untilMs) throw inUse(from, `${inHand} messages are still in hand`);
    await sleep(clock, Math.min(lookEveryMs, inHandMs));
  }
}

function inUse(from: Driver, what: string): QueueError {
  return new QueueError(
    `cannot move a queue from ${from.name}: it is in use (${what}); stop its publishers and consumers, or say that it may be in use`,
    { code: 'conflict', backend: from.name },
  );
}

async function withOpen<T>(drivers: readonly Driver[], logger: Logger, use: () => Promise<T>): Promise<T> {
  try {
    for (const driver of drivers) await asked('open a queue', driver, () => driver.open({ logger, emit() {} }));
    return await use();
  } finally {
    for (const driver of drivers) await driver.close().catch(() => {});
  }
}

async function asked<T>(operation: string, driver: Driver, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    throw error instanceof QueueError ? error : wrapError(operation, driver, error);
  }
}
