/**
 * The connection layer of the RabbitMQ driver, on amqplib: what the driver may ask of a connection. It knows frames,
 * channels and reply codes, and nothing of topics, groups or delays.
 */
import type { Channel, ConsumeMessage, Options } from 'amqplib';
import type { Classification, Clock, DriverEvent, Logger } from '../../driver.js';

/** Where the broker is and who we are. Everything but `hosts` has a default. */
export interface LinkSettings {
  /** Tried in turn, at `open` and at each reconnect, from the one that worked last. */
  readonly hosts: readonly { readonly host: string; readonly port: number }[];
  readonly vhost: string;
  readonly username: string;
  /** Called at each connect, so that a password file may change while we run. */
  readonly password: () => string;
  readonly tls: object | null;
  /** Half-open connections are found after two to three times this. Default 10. */
  readonly heartbeatSeconds: number;
}

/** From a URL `amqp[s]://user:password@host[:port][,host[:port]…]/vhost?heartbeat=10…` or from parts; refuses what it does not know. */
export type LinkSettingsFrom = (from: string | object) => LinkSettings;

export interface LinkHost {
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  /** Each fact once, in order. */
  readonly emit: (event: DriverEvent) => void;
}

export interface LinkOptions {
  /** Shown in the broker's tools as the connections' names, with ` publish` and ` consume` behind. */
  readonly name: string;
  /**
   * How long a publish may take: waiting to be written (no connection, blocked, back-pressure) and waiting for its
   * confirm. Default 25 000: below the portable layer's 30 s, so that what was never written is answered as such.
   */
  readonly publishDeadlineMs?: number;
  /** How long opening a channel, a declaration or a get may take. Default 20 000. */
  readonly callDeadlineMs?: number;
  /** How long one host may take to connect and shake hands. Default 10 000. */
  readonly connectDeadlineMs?: number;
}

export interface Publication {
  readonly exchange: string;
  readonly routingKey: string;
  readonly body: Buffer;
  /** `mandatory` is always added. With a `messageId`, returns are told apart by it. */
  readonly properties: Options.Publish;
}

/** Two supervised connections: one publishes, one consumes and declares, so that a blocked publisher blocks no ack. */
export interface Link {
  /** Connects both; tries each host once, does not retry. Rejects with a `LinkError`. */
  open(): Promise<void>;
  /** Ends everything under way, waits at most 5 s for the broker, leaves no socket, timer or listener. */
  close(): Promise<void>;
  readonly connected: boolean;
  /** Why the broker takes no messages at present; null while it does. */
  readonly blocked: string | null;
  /** What the broker said of itself at the last handshake: product, version; null before `open`. */
  readonly broker: { readonly product: string; readonly version: string; readonly clusterName: string } | null;

  /**
   * Resolves when the broker confirmed, i.e. routed and stored it. Rejects with a `LinkError`: `unroutable` (returned),
   * `resource-exhausted` (nacked: a queue is full), `not-found`/`denied` (this message's exchange closed the channel),
   * `unavailable` or `timeout` (retryable; `outcomeUnknown` where it had been written), `invalid` (cannot be encoded),
   * `closed`. Messages are written in the order of the calls. Never writes a message twice.
   */
  publish(publication: Publication): Promise<void>;

  /**
   * Runs `work` on a channel of its own (consume connection), closed afterwards: for declarations, passive checks, gets.
   * Waits for a connection; all together bounded by `callDeadlineMs`. An error of the broker is rejected with its `code` and text.
   */
  withChannel<T>(what: string, work: (channel: Channel) => Promise<T>): Promise<T>;

  /** One channel for consuming. Waits for a connection, within `callDeadlineMs`. It does not come back by itself: see `keepConsuming`. */
  openConsuming(options: ConsumingOptions): Promise<ConsumingChannel>;

  /**
   * Keeps a consuming channel open until closed: opens one, runs `setup` on it (declare what may be missing, consume), and does
   * so again, with back-off, after the channel, the connection or the consumer was lost.
   */
  keepConsuming(options: KeptOptions): KeptConsumer;
}

export interface ConsumingOptions {
  /** For errors and logs: `consumer of queue "x"`. */
  readonly what: string;
  /** Most unsettled deliveries per consumer of the channel. */
  readonly prefetch: number;
  /** Called synchronously, in the order of arrival. What it throws is logged, and the delivery given back. */
  readonly onDelivery: (delivery: Delivery) => void;
  /** The broker cancelled the consumer (its queue was deleted); the channel lives on, what it delivered can still be settled. */
  readonly onCancelled: (consumerTag: string) => void;
  /** Once, however the channel ended, our own `close` included; `unsettled` is what the broker hands out again. */
  readonly onClosed: (cause: unknown, unsettled: readonly Delivery[]) => void;
}

export interface ConsumingChannel {
  /** Counts the consuming channels of this link, from 1. */
  readonly generation: number;
  readonly open: boolean;
  /** The channel itself, for declarations and `get` in its own order. Never settle on it: settle deliveries. */
  readonly raw: Channel;
  consume(queue: string, options?: Options.Consume): Promise<string>;
  cancel(consumerTag: string): Promise<void>;
  /** Closes without cancelling first: what is unsettled goes back in its old order, and nothing is handed out in between. */
  close(): Promise<void>;
}

/** A message in hand, bound to the channel that brought it. */
export interface Delivery {
  readonly message: ConsumeMessage;
  readonly channel: ConsumingChannel;
  /** Whether it can still be settled. */
  readonly held: boolean;
  /** `lost`: settled before, or its channel is gone; nothing was sent. */
  ack(): 'done' | 'lost';
  nack(requeue: boolean): 'done' | 'lost';
  reject(requeue: boolean): 'done' | 'lost';
}

export interface KeptOptions {
  readonly what: string;
  readonly prefetch: number;
  readonly setup: (channel: ConsumingChannel) => Promise<void>;
  readonly onDelivery: (delivery: Delivery) => void;
  /** What was in hand when a channel was lost (not at `close`): it cannot be settled any more. */
  readonly onLost: (unsettled: readonly Delivery[], cause: unknown) => void;
}

export interface KeptConsumer {
  /** The channel that is set up, or null while there is none. */
  readonly channel: ConsumingChannel | null;
  /** Why there is none: the last failure of opening or `setup`; null while there is one. */
  readonly trouble: unknown;
  /** Resolves when `setup` has succeeded; rejects with the trouble when it fails next. */
  ready(): Promise<ConsumingChannel>;
  /** Does not wait for the back-off. */
  retryNow(): void;
  close(): Promise<void>;
}

/** An error of this layer: it knows its own classification. */
export interface LinkError extends Error, Classification {
  /** The broker's reply code, where it said one: 404, 312 … */
  readonly replyCode: number | null;
}

/** What an error of this layer, of amqplib or of a socket means: by class, reply code and error number, never by text. */
export type ClassifyAmqpError = (error: unknown) => Classification;
