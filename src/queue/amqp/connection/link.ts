import type { Channel } from 'amqplib';
import { type Clock, type DriverEvent, type Logger, systemClock } from '../../driver.js';
import type { BrokerConnection } from './broker-connection.js';
import { ConnectionPair, type Role } from './connection-pair.js';
import { ConsumingChannel, type ConsumingOptions } from './consuming-channel.js';
import { KeptConsumer, type KeptOptions } from './kept-consumer.js';
import { LinkError } from './link-error.js';
import { openChannel } from './open-channel.js';
import type { Publication } from './publication.js';
import { Publisher } from './publisher.js';
import type { ConnectionSettings } from './settings.js';
import { withChannel } from './with-channel.js';

export interface LinkOptions {
  /** What the broker's own tools show, with ` publish` and ` consume` behind: component and process. */
  readonly name: string;
  readonly logger: Logger;
  /** Each fact once, in order. */
  readonly emit: (event: DriverEvent) => void;
  /** Default: the machine's. */
  readonly clock?: Clock;
  /** For back-off, in [0, 1). Default `Math.random`. */
  readonly random?: () => number;
  /**
   * How long a publish may take, waiting to be written and waiting for its confirm. Default 25 000: less than the 30 s
   * of the portable layer, so that a message which was never written is answered as such, and not as unknown.
   */
  readonly publishDeadlineMs?: number;
  /** How long opening a channel or a call on it may take, and how long either waits for a connection. Default 20 000. */
  readonly callDeadlineMs?: number;
}

/** What the broker said of itself. */
export interface BrokerInfo {
  readonly product: string;
  readonly version: string;
  readonly clusterName: string;
}

/** At `close`: for confirms that are under way, and for the broker's good-bye. */
const lastConfirmsMs = 1_000;
const goodByeMs = 3_000;

/**
 * The broker as the driver sees it: it publishes, calls and consumes, and whatever is lost is made again.
 * One per open driver; opened once, closed once.
 */
export class Link {
  readonly #pair: ConnectionPair;
  readonly #publisher: Publisher;
  readonly #backgroundPublisher: Publisher;
  readonly #publishers: readonly Publisher[];
  readonly #context: {
    readonly clock: Clock;
    readonly random: () => number;
    readonly logger: Logger;
    readonly callDeadlineMs: number;
  };
  readonly #kept = new Set<KeptConsumer>();
  #generation = 0;
  #broker: BrokerInfo | null = null;
  #closing: Promise<void> | null = null;

  constructor(settings: ConnectionSettings, options: LinkOptions) {
    const { name, logger, emit, clock = systemClock, random = Math.random } = options;
    const { publishDeadlineMs = 25_000, callDeadlineMs = 20_000 } = options;
    this.#context = { clock, random, logger, callDeadlineMs };
    const publisherOptions = { clock, random, logger, publishDeadlineMs, callDeadlineMs };
    this.#publisher = new Publisher(publisherOptions);
    this.#backgroundPublisher = new Publisher(publisherOptions);
    this.#publishers = [this.#publisher, this.#backgroundPublisher];
    this.#pair = new ConnectionPair(settings, {
      ...{ name, clock, random, logger, emit },
      onMade: (role, connection) => this.#made(role, connection),
      onBlocked: (role, reason) => {
        if (role === 'publish') for (const publisher of this.#publishers) publisher.setBlocked(reason);
      },
    });
  }

  /** Connects. Tries each host once, does not retry; rejects with a `LinkError` or a refusal that says what to mend. */
  open(): Promise<void> {
    return this.#pair.open();
  }

  /**
   * Ends everything: lets confirms that are under way come for a second, gives back what is in hand, and leaves no
   * socket, timer or listener. Called twice: one closing.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Whether both connections are there. */
  get connected(): boolean {
    return this.#pair.connected;
  }

  /** How often a connection was lost: what did not change meanwhile lived all the time. */
  get losses(): number {
    return this.#pair.losses;
  }

  /** Why the broker takes no messages at present; null while it does. */
  get blocked(): string | null {
    return this.#pair.blocked;
  }

  /** The broker that was met last; null before `open`. */
  get broker(): BrokerInfo | null {
    return this.#broker;
  }

  /**
   * Resolves when the broker has confirmed it: routed, and stored by every queue that it leads to. Messages are
   * written in the order of the calls, while there is a channel that takes them; none is written twice.
   *
   * Rejects with a `LinkError`: `unroutable`; `resource-exhausted` (a queue is full, or the broker blocks);
   * `unavailable` and `timeout`, whose `outcomeUnknown` says whether it had been written; what the broker refuses
   * (`not-found`, `denied`: its exchange), `invalid` and `payload-too-large` (cannot be put into frames), `closed`.
   */
  publish(publication: Publication): Promise<void> {
    return this.#publisher.publish(publication);
  }

  /** The same without a promise: `answer` is called once, perhaps at once, with what `publish` rejects with, or null. It must not throw. */
  publishWith(publication: Publication, answer: (error: LinkError | null) => void): void {
    this.#publisher.publishWith(publication, answer);
  }

  /**
   * The same as `publish`, over a channel that nobody else publishes on: where the broker closes it, because an exchange
   * was deleted, no message of a caller is answered as unknown.
   */
  publishInBackground(publication: Publication): Promise<void> {
    return this.#backgroundPublisher.publish(publication);
  }

  /**
   * Runs `work` on a channel of its own, closed afterwards: for declarations, passive checks, gets. `what` completes
   * "cannot …". Rejects with a `LinkError` whose `cause` is the broker's own; what `work` itself throws stays as it is.
   * `role`: `publish`, if it publishes, since a broker that is out of memory reads nothing more of a connection that does.
   */
  async withChannel<T>(what: string, work: (channel: Channel) => Promise<T>, role: Role = 'consume'): Promise<T> {
    const connection = await this.#pair.when(role, this.#context.callDeadlineMs);
    return withChannel(connection, what, work, this.#context);
  }

  /** Opens a channel to consume on. It does not come back when it is lost: `keepConsuming` does. */
  async openConsuming(options: ConsumingOptions): Promise<ConsumingChannel> {
    const { clock, callDeadlineMs } = this.#context;
    const connection = await this.#pair.when('consume', callDeadlineMs);
    const raw = await openChannel(connection, (model) => model.createChannel(), clock, callDeadlineMs);
    if (!connection.open)
      throw new LinkError('the connection was lost', { code: 'unavailable', cause: connection.cause });
    this.#generation += 1;
    return new ConsumingChannel(raw, this.#generation, connection, options, this.#context);
  }

  /** Keeps a consuming channel open until it, or the link, is closed. */
  keepConsuming(options: KeptOptions): KeptConsumer {
    const kept = new KeptConsumer(options, {
      ...this.#context,
      open: (channelOptions) => this.openConsuming(channelOptions),
      onClosed: () => this.#kept.delete(kept),
    });
    this.#kept.add(kept);
    return kept;
  }

  async #made(role: Role, connection: BrokerConnection): Promise<void> {
    this.#broker = brokerInfo(connection.server);
    if (role === 'publish') await Promise.all(this.#publishers.map((publisher) => publisher.attach(connection)));
    else for (const kept of this.#kept) kept.retryNow();
  }

  async #close(): Promise<void> {
    const kept = [...this.#kept].map((each) => each.close());
    await Promise.all(this.#publishers.map((publisher) => publisher.close(lastConfirmsMs)));
    await this.#pair.close(goodByeMs);
    // Those that the broker did not answer ended with the connection.
    await Promise.all(kept);
  }
}

function brokerInfo(server: Readonly<Record<string, unknown>>): BrokerInfo {
  const text = (value: unknown): string => (typeof value === 'string' ? value : '');
  return { product: text(server.product), version: text(server.version), clusterName: text(server.cluster_name) };
}
