import { type Clock, sleep, systemClock } from './clock.js';
import type { Driver, TopicTopology } from './driver.js';
import { QueueError } from './errors.js';
import { type Logger, silentLogger } from './logger.js';
import { useBetween } from './move-in-use.js';
import { asked, lookAt, type MovePlan, type MoveRest, movedTopics } from './move-look.js';
import { checkWanted, Move, type MovedGroup } from './move-run.js';
import type { StayingReport } from './move-staying.js';
import { demandRoom, type NamedGroup } from './move-target.js';

export type { MovePlan, MoveRest } from './move-look.js';
export type { MovedGroup } from './move-run.js';
export type { RefusedMessage, StayingReport } from './move-staying.js';

export interface MovePlanOptions {
  /** Groups that stay where they are with all that is in them, by name. Default: none. */
  readonly skipGroup?: ((group: string) => boolean) | undefined;
  readonly logger?: Logger | undefined;
}

export interface MoveOptions extends MovePlanOptions {
  /** Move although the source seems to be published to or consumed. */
  readonly evenIfInUse?: boolean | undefined;
  /** Wait for what the source cannot give before it falls due. */
  readonly wait?: boolean | undefined;
  /** How far apart the two looks are by which use of the source is seen, milliseconds. Default: 2 000. */
  readonly watchMs?: number | undefined;
  /** How long what is in hand in the source may take to be settled, milliseconds. Default: 10 000. */
  readonly inHandMs?: number | undefined;
  readonly clock?: Clock | undefined;
  /** Aborted: the move ends with `aborted` after the batch that is under way. It can be called again. */
  readonly signal?: AbortSignal | undefined;
  /** Called when it begins something, after each batch, and at each look while it waits. */
  readonly onProgress?: ((progress: MoveProgress) => void) | undefined;
}

export interface MoveProgress {
  /** Watching whether the source is in use; pausing its groups; waiting for what is in hand; moving; waiting for what is in transit. */
  readonly doing: 'watching' | 'pausing' | 'settling' | 'moving' | 'waiting';
  /** What was moved until now. */
  readonly groups: readonly MovedGroup[];
  /** What was in the source when it was last looked at; null: it was not yet. */
  readonly left: MoveRest | null;
}

export interface MoveReport {
  readonly groups: readonly MovedGroup[];
  /** What is still in the source, but for what stays there because the target does not take it. */
  readonly left: MoveRest;
  readonly staying: StayingReport;
  /** Groups of the target that are paused: nobody is served what was moved there until they are resumed. */
  readonly pausedInTarget: readonly NamedGroup[];
}

/** How often what is waited for is looked at. */
const lookEveryMs = 1_000;

/** How many rounds may find messages that they do not get. */
const stuckRounds = 10;

const nothing = (): boolean => false;

/** What would be moved. Changes nothing. Opens the driver, and closes it. Rejects with `not-found` where no topic is declared. */
export function planMove(
  from: Driver,
  { logger = silentLogger, skipGroup = nothing }: MovePlanOptions = {},
): Promise<MovePlan> {
  return withOpen(from, logger, async () => {
    const { groups, left } = await lookAt(from, await movedTopics(from, skipGroup));
    return { groups, left };
  });
}

/**
 * Moves every message of every group, and the dead letters, from one backend to another: same ids, counts, keys, headers and
 * order, delays with what is left of them. The source's groups are paused and stay so. Opens both drivers, and closes them.
 * Ended at any point, it can be called again, with new drivers, and goes on.
 *
 * What the target does not take (a body that is too large there) stays in the source; of an ordered topic, so does what waits behind it in
 * its group.
 *
 * Rejects with `not-found` when the source has no topic, `conflict` when it is in use, `unsupported` when it cannot be moved from, or has
 * more lanes than the target can have, `topology-mismatch` when the target has a topic of the same name that differs, `invalid` when it is
 * the source, `aborted`, and with what the backends answer. Once groups are paused, the error says so.
 */
export function moveMessages(from: Driver, to: Driver, options: MoveOptions = {}): Promise<MoveReport> {
  const { skipGroup = nothing, logger = silentLogger } = options;
  return withOpen(from, logger, async () => {
    const topics = await movedTopics(from, skipGroup);
    demandDrain(from);
    // Opening makes a file or tables: not for a source that has nothing.
    return withOpen(to, logger, () => moveAll(from, to, topics, options));
  });
}

function demandDrain(from: Driver): void {
  if (from.admin.drain !== undefined && from.admin.drainLetters !== undefined) return;
  throw new QueueError(
    `cannot move a queue from ${from.name}: its driver cannot give its messages away; move from another backend`,
    { code: 'unsupported', backend: from.name },
  );
}

async function moveAll(
  from: Driver,
  to: Driver,
  topics: readonly TopicTopology[],
  options: MoveOptions,
): Promise<MoveReport> {
  const { clock = systemClock, watchMs = 2_000, inHandMs = 10_000, evenIfInUse = false, wait = false } = options;
  const { signal = new AbortController().signal, onProgress = () => {} } = options;
  let left: MoveRest | null = null;
  const move = new Move({ from, to, clock, signal, onBatch: () => tell('moving') });
  const tell = (doing: MoveProgress['doing']): void => onProgress({ doing, groups: move.groups, left });
  const passing = async (ms: number): Promise<void> => {
    await sleep(clock, ms, signal);
    checkWanted(signal);
  };
  let groups: MovePlan['groups'] = [];
  const look = async (): Promise<MoveRest> => {
    const { left: all, groups: seen } = await lookAt(from, topics);
    groups = seen;
    return { ...all, waiting: Math.max(0, all.waiting - move.staying.messagesIn(seen)) };
  };

  const pausedInTarget = await demandRoom(from, to, topics);
  if (!evenIfInUse) {
    tell('watching');
    await demandQuiet(from, topics, () => passing(watchMs));
  }
  return whilePaused(async () => {
    tell('pausing');
    for (const { name, groups: named } of topics)
      for (const group of named)
        await asked(`pause group "${group.name}" of "${name}"`, from, () => from.admin.pause(name, group.name));
    for (const untilMs = clock.now() + inHandMs; ; ) {
      left = await look();
      if (left.inHand === 0 || (evenIfInUse && clock.now() >= untilMs)) break;
      // Groups are paused: what is in hand becomes less, unless somebody has hung.
      if (clock.now() >= untilMs) throw inUse(from, `${left.inHand} messages are still in hand`);
      tell('settling');
      await passing(Math.min(lookEveryMs, inHandMs));
    }
    await asked('declare the topology of the queue that is moved', to, () =>
      to.declare({ topics }, { mode: 'assert', change: false }),
    );
    tell('moving');
    // Twice where there are queues of delays: what has left one may be on its way.
    const quietRounds = from.admin.inTransit === undefined ? 1 : 2;
    for (let quiet = 0, stuck = 0; ; ) {
      const moved = await move.round(topics);
      left = await look();
      quiet = moved + left.waiting + left.inTransit > 0 ? 0 : quiet + 1;
      stuck = moved === 0 && left.waiting > 0 ? stuck + 1 : 0;
      const isLater = moved + left.waiting === 0 && left.inTransit > 0 && !wait;
      if (quiet >= quietRounds || isLater || stuck >= stuckRounds)
        return { groups: move.groups, left, staying: move.staying.report(groups), pausedInTarget };
      tell('waiting');
      if (moved === 0) await passing(lookEveryMs);
    }
  });
}

/** An error of the work says, too, in which state it leaves the source. */
async function whilePaused<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof QueueError)) throw error;
    const { message, code, retryable, outcomeUnknown, backend, cause } = error;
    throw new QueueError(
      `${message}; groups of the source are paused now: move again, or resume them ("signalbox resume TOPIC GROUP")`,
      { code, retryable, outcomeUnknown, backend, cause },
    );
  }
}

/** Rejects with `conflict` when something moves by itself. */
async function demandQuiet(from: Driver, topics: readonly TopicTopology[], watch: () => Promise<void>): Promise<void> {
  const before = await lookAt(from, topics);
  await watch();
  const use = useBetween(before, await lookAt(from, topics));
  if (use !== null) throw inUse(from, use);
}

function inUse(from: Driver, what: string): QueueError {
  return new QueueError(
    `cannot move a queue from ${from.name}: it is in use (${what}); stop its publishers and consumers, or say that it may be in use`,
    { code: 'conflict', backend: from.name },
  );
}

async function withOpen<T>(driver: Driver, logger: Logger, use: () => Promise<T>): Promise<T> {
  try {
    await asked('open a queue', driver, () => driver.open({ logger, emit() {} }));
    return await use();
  } finally {
    await driver.close().catch(() => {});
  }
}
