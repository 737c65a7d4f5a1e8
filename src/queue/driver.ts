/**
 * What a backend implements, and all that it may import from the portable layer.
 *
 * A driver does only what its backend alone can do: keep bytes, hand them out, fence settlements.
 * It never validates, retries, logs a body, decides when a message is dead or how long a back-off is:
 * the portable layer above does that once for all backends. `docs/decisions/driver-interface.md` writes
 * each verb out against memory, MySQL, SQLite and RabbitMQ.
 *
 * Rules that hold for every verb:
 * - It may be called at any time between `open` and `close`, and several at once.
 * - It rejects with whatever its client library throws; `classify` says afterwards what that was.
 *   Where the driver itself refuses, it uses `Refusal`.
 * - It never retries a call, except where the backend demands it of everybody (a SQL deadlock).
 * - It answers or rejects in finite time: a driver bounds its own waits. Who waits for one that does not
 *   gives up after 30 s by itself, and must then take the outcome for unknown.
 * - Times are the backend's. A driver never compares two machines' clocks.
 */
import type { Clock } from './clock.js';
import type { QueueErrorCode } from './errors.js';
import type { Logger } from './logger.js';

export type { Clock } from './clock.js';
export { sleep, systemClock } from './clock.js';
export type { QueueErrorCode } from './errors.js';
/** For what a driver's package says to users themselves, with no queue in between: making a driver, ending a transaction. */
export { QueueError } from './errors.js';
export type { Logger } from './logger.js';
export { loopTurn, nextTurn } from './loop-turn.js';
/** The id that a message without one is known by. */
export { idOf } from './message.js';
export { noGroup, noTopic, unroutable } from './not-there.js';
export { matches } from './pattern.js';
export { RecentSends } from './recent-sends.js';
export { Refusal } from './refusal.js';
export { topologyDifferences } from './topology-differences.js';

/**
 * One backend, seen by one client. A driver object is opened once and closed once; reopening means making a new
 * one, and a second `open` rejects with an `invalid` refusal.
 */
export interface Driver {
  /** `memory`, `mysql`, `amqp`, `sqlite` …: appears in errors, logs, health and reports. */
  readonly name: string;

  /** What this backend can do, as numbers. Final once `open` has resolved; may depend on the driver's options. */
  readonly capabilities: Capabilities;

  /** The clock that the portable layer should use unless the user gives it another; null: the machine's. */
  readonly clock: Clock | null;

  /**
   * Connects. Rejects when the backend cannot be reached or refuses the credentials; does not retry.
   * `host` is how the driver tells what happens to its connection from then on.
   */
  open(host: DriverHost): Promise<void>;

  /**
   * Makes what the topology needs exist. Safe to call again and from many processes at once; writes only
   * differences. A group gets every message published after this resolved. `mode: 'check'` changes nothing
   * and rejects with a `not-found` refusal naming what is missing.
   *
   * What exists and differs from what is asked is a `topology-mismatch` refusal naming the object, the
   * argument and both values, and nothing is changed, unless `change` is true and the difference can be
   * applied without losing a message. Groups that exist but are not named here (`addGroup`) are left alone.
   * `topologyDifferences` finds all this out. `maxRedeliveries` and `expectedDelaysMs` are advice: take the newest.
   * Resolves when what was declared is durable.
   */
  declare(topology: Topology, options: DeclareOptions): Promise<DeclareReport>;

  /**
   * Stores a batch: one round trip or transaction. Resolves with one result per entry, in order, when each
   * is durable or has failed; rejects only when that cannot be told for any of them (then all are unknown).
   *
   * - Entries of one topic and key become visible in the order of the batch: after an entry failed, for
   *   whatever reason, later ones of its key must not be stored (answer them `failed` as well, with a
   *   retryable error: those that can be stored are sent again without the one that cannot). Entries without
   *   a key are no line.
   * - `delayMs` counts from the moment of storing, on the backend's time; 0 is at once.
   * - A `nonce` seen before is a repeated send of the same call: store nothing, answer as the first time.
   *   Where a backend cannot recognise it, a repeated send is stored twice (at least once).
   *   Message ids are never looked at for this.
   * - A topic, or a target's group, that the backend does not know fails its entry with a `not-found` refusal;
   *   no group matched, with an `unroutable` one, or is `groups: 0` where the entry says `unmatched: 'discard'`.
   * - `within` is a caller's own transaction: stored when that commits. Only where `capabilities.transactions`.
   */
  send(batch: readonly Send[], within?: unknown): Promise<readonly SendResult[]>;

  /** Starts to read one group of one topic. An unknown topic or group is a `not-found` refusal. */
  subscribe(options: SubscribeOptions): Promise<DriverSubscription>;

  /** What an error of this driver means. Pure, by error number or reply code, never by message text. */
  classify(error: unknown): Classification;

  readonly admin: DriverAdmin;

  /** The state of the connection, as far as the driver knows without asking the backend. */
  health(): DriverHealth;

  /**
   * Gives back what is in hand (as `DriverSubscription.close` does), ends every pending `receive` with an
   * empty answer, and leaves no socket, timer or listener. Called twice, or at once: one closing. Every
   * verb afterwards rejects with a `closed` refusal; of its subscriptions as well, all but their `close`.
   */
  close(): Promise<void>;
}

/** One reader of one group. Readers of a group compete. */
export interface DriverSubscription {
  /**
   * Up to `max` messages that this reader now holds. Waits up to `waitMs` for the first one, then answers
   * with what there is; empty is a fine answer. A pending call ends early, empty, when `close` is called;
   * one made afterwards rejects with a `closed` refusal. The portable layer has one call under way at a time.
   *
   * - When `signal` aborts, a pending call ends early and empty, and holds nothing: what it was about to hand
   *   out, or had been pushed, goes back as by `give-back` (pushed to a lane, at `close`: its order goes first).
   *   With a signal that is aborted already, it is empty and takes nothing. A reader that stops aborts it before it
   *   gives back what it did not start, and receives no more. Remove the listener when a call ends: all share one signal.
   * - While its group or topic is removed, it rejects with a `not-found` refusal, a pending call too; when
   *   they are there again, the next call receives again.
   * - After any rejection it may be called again. After a refusal that is not retryable, the portable layer
   *   takes what it holds for lost, closes this subscription and makes a new one.
   * - A receipt that was just answered may already be `lost`: the lease runs, and connections break, meanwhile.
   * - A message whose delay has not passed on the backend's time is never handed out.
   * - What is due is served in the order in which it became due: a retry, a delay or an expired lease does
   *   not wait behind messages published after its due time.
   * - On an ordered topic, lanes are shared out between the readers of the group; messages of a lane come
   *   in publish order, those given back or lost by a holder in their old place. With
   *   `keyIsolation: 'full'` a key that has a message in hand, with anybody, is skipped, and nobody has to own
   *   lanes for it. Messages without a key wait for none.
   * - What is handed out is the reader's own: two groups, or two hand-outs, share no headers and no bytes.
   */
  receive(max: number, waitMs: number, signal: AbortSignal): Promise<readonly Received[]>;

  /**
   * Ends what is held: one round trip or transaction for the batch where the backend has such. One result
   * per settlement, in order. Rejects when the outcome of the whole batch is unknown. Settling again what
   * was settled, or with a receipt whose lease, channel or group is gone, is `lost` and changes nothing,
   * always: the newer holder is untouched. So is all that a closed subscription held.
   */
  settle(batch: readonly Settlement[]): Promise<readonly SettleResult[]>;

  /**
   * How to keep what is held from being handed to somebody else; null where the connection itself does that. Then what
   * could not be settled within 30 s is let go by closing this subscription, and a new one is made.
   */
  readonly lease: DriverLease | null;

  /**
   * Why it can read nothing at present, or not from all lanes, though it goes on trying: for people, shown in health. Null, or left out:
   * nothing is known to be wrong. What `receive` rejects with need not be in it.
   */
  readonly trouble?: string | null;

  /**
   * Stops reading. What is still held goes back at once, in its old place, counted as a hand-out without
   * an answer. Called twice, or at once: one closing.
   */
  close(): Promise<void>;
}

export interface DriverLease {
  /** How long a hand-out is kept for its holder, from `receive` or the last extension, on the backend's time. */
  readonly ms: number;
  /** Lets each lease end `ms` from now. One result per receipt, in order; `lost`, where `settle` would say so, changes nothing. */
  extend(receipts: readonly Receipt[], ms: number): Promise<readonly ('done' | 'lost')[]>;
}

export interface SubscribeOptions {
  readonly topic: string;
  readonly group: string;
  /** The most messages that this reader wants to hold at once; a backend that pushes must not exceed it, for one that is asked `max` says enough. */
  readonly prefetch: number;
  /** Unique per reader, for the backend's own tools: consumer tags, `claimed by` columns. */
  readonly consumer: string;
  /**
   * Called when the driver learns by itself that what is held is no longer ours (the channel closed, the
   * connection was cut). Each receipt at most once; drivers with leases need not call it, since an
   * extension that answers `lost` says the same.
   */
  readonly onLost: (receipts: readonly Receipt[]) => void;
  /**
   * Called when the group is paused, and when it flows again; during `subscribe` where it is paused already. While it
   * is, `receive` waits and hands out nothing. `DriverAdmin.pause` does not resolve before this call has returned, in every
   * process: whoever starts what was handed out stops then, and gives back what it has not started.
   */
  readonly onPaused?: ((paused: boolean) => void) | undefined;
}

/** Made by a driver at a hand-out, understood by that driver alone: channel and tag, row and token. */
export type Receipt = object;

/** A message as a backend keeps it. The portable layer made the bytes and reads them again. */
export interface StoredMessage {
  /** Null only for a foreign message that brought none. */
  readonly id: string | null;
  readonly topic: string;
  readonly key: string | null;
  readonly routingKey: string | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  /** Publisher's clock, epoch milliseconds: for people, never compared with another clock. Null for foreign messages. */
  readonly publishedAt: number | null;
  /** Version of signalbox's message format; null for a foreign message. */
  readonly format: number | null;
}

/** What travels with a message of one group from hand-out to hand-out. */
export interface Counts {
  /** 1 on the first delivery; a nack adds 1. */
  readonly attempt: number;
  readonly postpones: number;
  /** When it first failed, epoch milliseconds; null while it has not. */
  readonly firstFailedAt: number | null;
}

/** The counts of a message that nothing has happened to yet. */
export const freshCounts: Counts = { attempt: 1, postpones: 0, firstFailedAt: null };

export type Target =
  /** Every group of the message's topic that accepts its routing key. */
  | { readonly kind: 'topic' }
  /** One group alone, whatever its patterns say. */
  | { readonly kind: 'group'; readonly group: string }
  | DeadTarget;

/**
 * The dead letters of one group. Its `delayMs` is 0 always: a death is not put off. In the outbox of an ack, it is the letter of the message that
 * is acked: a driver that was handed more than `StoredMessage` says (what a foreign program wrote beside it) keeps that in the letter.
 */
export interface DeadTarget {
  readonly kind: 'dead';
  readonly group: string;
  readonly death: Death;
  readonly expireAfterMs: number | null;
}

export interface Send {
  readonly target: Target;
  readonly message: StoredMessage;
  /** Which lane of an ordered topic the message belongs to; 0 on unordered topics. */
  readonly lane: number;
  readonly counts: Counts;
  readonly delayMs: number;
  /** The same for repeated sends of one call, different for every other call. */
  readonly nonce: string;
  readonly unmatched: 'reject' | 'discard';
  /** Only where `capabilities.dedup`: within the window, a second send with this key stores nothing. Compared as bytes, per topic. */
  readonly dedup: { readonly key: string; readonly windowMs: number } | null;
}

export type SendResult =
  /** `groups` is null where the backend cannot tell how many took it. */
  | { readonly status: 'stored'; readonly groups: number | null }
  /** `id` is the id of the message that the idempotency key belongs to. */
  | { readonly status: 'duplicate'; readonly id: string }
  | { readonly status: 'failed'; readonly error: unknown };

export interface Received {
  readonly receipt: Receipt;
  readonly message: StoredMessage;
  readonly counts: Counts;
  /** Hand-outs before this one without an answer since the last answer; 0 where the backend cannot count (`countsRedeliveries`: then 0 or 1). */
  readonly redeliveries: number;
  /**
   * Why it could not be read as its sender meant it, for people: it becomes a dead letter with that. `receive` never
   * rejects for one message, or its neighbours would be in nobody's hands. Null or left out: it could.
   */
  readonly fault?: string | null;
}

export type Settlement =
  /** Done. The outbox becomes durable with it (`atomicOutbox`), or else before it. A failed entry fails the settlement, and nothing is acked. */
  | { readonly kind: 'ack'; readonly receipt: Receipt; readonly outbox: readonly Send[] }
  /**
   * Back to the group after `delayMs` with these counts, redeliveries from 0 again. It leaves its place in
   * the line: when the delay has passed it comes after what was published until then.
   */
  | { readonly kind: 'release'; readonly receipt: Receipt; readonly delayMs: number; readonly counts: Counts }
  /** Was never worked on: available to others at once, in its old place, not counted (unless `countsGiveBack`). */
  | { readonly kind: 'give-back'; readonly receipt: Receipt };

export type SettleResult =
  | { readonly status: 'done' }
  | { readonly status: 'lost' }
  /** Nothing was changed, the message is still held. */
  | { readonly status: 'failed'; readonly error: unknown };

/** Why a group gave up on a message. */
export interface Death {
  readonly cause: DeathCause;
  /** For people, and `crash-loop` for crash loops. At most 1 KiB. */
  readonly reason: string;
  /** The error behind it, its texts cut; null where there was none. */
  readonly error: { readonly name: string; readonly message: string; readonly stack: string | null } | null;
  readonly attempt: number;
  readonly postpones: number;
  readonly redeliveries: number;
  readonly firstFailedAt: number;
  readonly lastFailedAt: number;
  /** Name of the consumer that gave up. */
  readonly origin: string;
}

export type DeathCause = 'attempts-exhausted' | 'rejected' | 'crash-loop' | 'undecodable';

export interface Topology {
  readonly topics: readonly TopicTopology[];
}

export interface TopicTopology {
  readonly name: string;
  readonly ordering: 'none' | 'key';
  /** 1 on unordered topics. */
  readonly lanes: number;
  readonly groups: readonly GroupTopology[];
  /** The portable layer gives up above this; a backend's own limit must stand well above it. */
  readonly maxRedeliveries: number;
  /** Delays that configuration knows beforehand (back-off steps), for backends that prepare something per delay. */
  readonly expectedDelaysMs: readonly number[];
}

export interface GroupTopology {
  readonly name: string;
  /** A message is for the group when any of these matches its routing key. `matches` is the rule. */
  readonly patterns: readonly string[];
}

export interface DeclareOptions {
  readonly mode: 'assert' | 'check';
  /** Apply differences that lose nothing (patterns of a group) instead of refusing them. */
  readonly change: boolean;
}

export interface DeclareReport {
  /** Names, in the backend's own words, of what did not exist before. */
  readonly created: readonly string[];
  readonly changed: readonly string[];
}

/** Each rejects with a `not-found` refusal for an unknown topic, and, but for `removeGroup`, for an unknown group. */
export interface DriverAdmin {
  /** What exists in the backend, declared in this process or not; topics, and the groups of each, sorted by name. */
  topics(): Promise<readonly TopicTopology[]>;
  /** Adding what exists with the same patterns changes nothing; with others, it is a `topology-mismatch`. */
  addGroup(topic: string, group: GroupTopology): Promise<void>;
  /**
   * Removes a group with what waits for it and its dead letters. What is delayed becomes a lost letter when
   * it falls due, unless the group is back by then. What is in hand is lost to its holder. Removing a group that does not exist changes nothing.
   */
  removeGroup(topic: string, group: string): Promise<void>;
  /**
   * Nothing of the group is handed out from now on, to nobody, until `resume`; resolves when that is certain of every
   * process, and rejects with a `timeout` refusal where one does not say so in time: the mark stays then.
   * What is in hand is as it was. Pausing what is paused is to be as certain. A group that is removed takes its mark along.
   */
  pause(topic: string, group: string): Promise<void>;
  /** Lets it flow again, and wakes who waits. Resuming what flows changes nothing. */
  resume(topic: string, group: string): Promise<void>;
  depth(topic: string, group: string): Promise<Depth>;
  letters(box: LetterBox, page: LetterPage): Promise<LetterList>;
  /**
   * Sends letters back to where they belong, at the end of their key's line, counts from the start, same
   * ids; answers how many. `ids` are message ids ('all': all that are there at the call). No crash in
   * between loses one. A letter whose destination does not exist stays.
   */
  redrive(box: LetterBox, ids: readonly string[] | 'all'): Promise<number>;
  /** Deletes letters; answers how many. */
  purge(box: LetterBox, ids: readonly string[] | 'all'): Promise<number>;
  /** What the topics consist of in the backend; left out by one whose topics consist of nothing that has a name of its own. Asks it each time. */
  readonly objects?: () => Promise<readonly BackendObject[]>;
  /**
   * Takes what waits in a group out of the backend, whether it is paused or not: gives up to `max` of it to `keep`, in the order of
   * service, and removes it when `keep` has resolved; when that rejects, all of it stays, and so does the rejection. A crash in between
   * leaves it, too. Answers how many; 0: nothing is left that it can take. What is in hand is left alone.
   * Left out by a driver whose messages cannot be moved to another backend; one that has it has `drainLetters` too.
   */
  drain?(
    topic: string,
    group: string,
    max: number,
    keep: (waiting: readonly Waiting[]) => Promise<void>,
  ): Promise<number>;
  /** As `drain`, with the dead letters of a group: oldest first, without what has expired. What is buried meanwhile stays, whatever its id. */
  drainLetters?(
    topic: string,
    group: string,
    max: number,
    keep: (letters: readonly DrainedLetter[]) => Promise<void>,
  ): Promise<number>;
  /** How many delayed messages, of all topics, are where `drain` cannot take them: it can when they have fallen due. Left out: none ever. */
  inTransit?(): Promise<number>;
  /** For `move`, which looks twice. Left out by one that knows no more than depths. */
  signsOfUse?(): Promise<SignsOfUse>;
}

/** What a backend knows of its use by others than the driver that is asked. */
export interface SignsOfUse {
  /** Who consumes it, each in the same words whenever it is asked: `process 4711 of host consumes it`. */
  readonly others: readonly string[];
  /** Another one after each publish, or each hand-out; never by looking. Null: there is none. */
  readonly counter: string | null;
}

/** What is drained is stored elsewhere under its identity, so that what is drained again after a crash is stored once. */
export interface Identified {
  /**
   * Names this one message of this group, or this letter: the same each time that it is drained, also by another process, until it
   * is removed, and never given to another, however alike and wherever it is, also not when it comes back from elsewhere. So it holds
   * something random, or something that the backend never gives twice; a content is none. Null: the backend has none, and what is
   * drained again is stored again.
   */
  readonly identity: string | null;
}

export interface DrainedLetter extends Letter, Identified {
  readonly death: Death;
}

/** What waits in a group, as `drain` takes it. */
export interface Waiting extends Identified {
  readonly message: StoredMessage;
  readonly counts: Counts;
  /** What is left of its delay; 0 when it is due. */
  readonly delayMs: number;
  /** As of `Received`. */
  readonly fault?: string | null;
}

/** An exchange, a queue: something that a backend has for the topics, in its own words. */
export interface BackendObject {
  /** `exchange`, `queue`. */
  readonly kind: string;
  readonly name: string;
  /** `topic`, `quorum`. */
  readonly type: string;
  /** For people: `group "default" of topic "jobs"`. */
  readonly purpose: string;
  /** As they are declared; what exists may differ. */
  readonly arguments: Readonly<Record<string, string | number | boolean>>;
  /** From where messages come into a queue, as declared. */
  readonly bindings: readonly {
    readonly exchange: string;
    readonly routingKey: string;
    readonly arguments: Readonly<Record<string, string | number | boolean>>;
  }[];
  readonly exists: boolean;
  /** Messages; null where it holds none, or the backend does not say. */
  readonly ready: number | null;
  readonly consumers: number | null;
  /** Whether something is wrong when nobody consumes it. */
  readonly needsConsumer: boolean;
}

/** Each number is null where the backend cannot know it (`capabilities.depth`), never a guess. */
export interface Depth {
  readonly ready: number | null;
  readonly delayed: number | null;
  readonly inHand: number | null;
  readonly dead: number | null;
  /** Age of the oldest ready message, counted from when it became due; 0 when none is ready. */
  readonly oldestAgeMs: number | null;
  /** Whether the group is paused: what is ready waits for `resume`. */
  readonly paused: boolean;
}

export type LetterBox =
  | { readonly kind: 'dead'; readonly topic: string; readonly group: string }
  /** Delayed messages whose destination was gone when they fell due, of all topics. */
  | { readonly kind: 'lost' };

export interface LetterPage {
  readonly limit: number;
  /** `next` of the page before; null for the first. It names a place: what leaves the box between two pages shifts nothing. */
  readonly cursor: string | null;
}

export interface LetterList {
  /** Oldest first, without what has expired. Listing changes nothing and uses nothing up. */
  readonly letters: readonly Letter[];
  readonly next: string | null;
  /** How many the box holds in all; null where the backend cannot tell. */
  readonly total: number | null;
}

export interface Letter {
  readonly message: StoredMessage;
  readonly topic: string;
  /** The group that gave up on it, or whose queue was gone. */
  readonly group: string;
  /** Null for lost letters: nobody failed, the destination was gone. */
  readonly death: Death | null;
  /** When it was put there, on the backend's clock. */
  readonly buriedAt: number;
  /** What is left until it expires; null or left out: it does not. */
  readonly expiresInMs?: number | null;
}

export interface DriverHost {
  readonly logger: Logger;
  /** Says what happened to the connection and its readers, each fact once, in order. */
  emit(event: DriverEvent): void;
}

export type DriverEvent =
  /** Only for a connection made anew, after `disconnected`: that `open` connected, its promise says. */
  | { readonly type: 'connected' }
  | { readonly type: 'disconnected'; readonly cause: unknown }
  | { readonly type: 'reconnecting'; readonly attempt: number; readonly delayMs: number }
  | { readonly type: 'blocked'; readonly reason: string }
  | { readonly type: 'unblocked' }
  /** The backend had taken away what a reader reads (an operator deleted its queue); it reads again. */
  | { readonly type: 'resubscribed'; readonly topic: string; readonly group: string; readonly consumer: string };

export interface DriverHealth {
  readonly connected: boolean;
  /** Why the backend takes no messages at present (a memory alarm); null while it does. */
  readonly blocked: string | null;
}

/** Data, read by the portable layer, the conformance suite and users alike. */
export interface Capabilities {
  /** What was published survives the end of every process that knew of it. */
  readonly durable: boolean;
  readonly delay: { readonly resolutionMs: number; readonly maxMs: number };
  readonly ordering: {
    /** The most lanes that a topic may declare. */
    readonly lanes: number;
    /** Whether a slow key stops no other key (`full`), or only those of its lane once a window of waiting messages is full. */
    readonly keyIsolation: 'full' | 'window';
  };
  /** The longest idempotency window; null: no deduplication. */
  readonly dedup: { readonly windowMs: number } | null;
  /** Whether `send` can take part in a caller's transaction. */
  readonly transactions: boolean;
  /** Whether an outbox leaves in the same instant as its ack; otherwise it is durable before the ack. */
  readonly atomicOutbox: boolean;
  /** Whether an open transaction makes every other publisher wait. */
  readonly singleWriter: boolean;
  readonly lease: { readonly ms: number } | null;
  readonly countsRedeliveries: boolean;
  /** Whether giving back counts as a redelivery. */
  readonly countsGiveBack: boolean;
  /** Which fields of `Depth` it can know. */
  readonly depth: { readonly [field in Exclude<keyof Depth, 'paused'>]: boolean };
  readonly limits: Limits;
}

export interface Limits {
  readonly bodyBytes: number;
  /** Longest topic or group name, UTF-8. */
  readonly nameBytes: number;
  /** All header names and values of a message together, UTF-8. */
  readonly headerBytes: number;
  /** Most entries of one `send` or `settle`. */
  readonly batch: number;
  /**
   * How many `send` calls the portable layer keeps under way at once; never two with the same topic and key. Where an outbox is not atomic,
   * so many `settle` calls of each subscription as well, beside one of plain acks; never two with the same receipt.
   */
  readonly concurrentSends: number;
}

/** What the portable layer needs to know of an error to go on. */
export interface Classification {
  readonly code: QueueErrorCode;
  /** Whether the same call may succeed later. */
  readonly retryable: boolean;
  /** Whether the call may have taken effect all the same. */
  readonly outcomeUnknown: boolean;
  /** What happened to what, for people: the host, the object that was refused. It must hold no body and no secret. Default: nothing but what `code` says. */
  readonly detail?: string;
}
