import { type Clock, type DriverEvent, type Logger, Refusal, sleep } from '../../driver.js';
import { BrokerConnection } from './broker-connection.js';
import { LinkError } from './link-error.js';
import { reconnectDelay } from './reconnect-delay.js';
import { type ConnectionSettings, describe, describeHost } from './settings.js';

/** What a connection is for. Two, because a broker that is out of memory reads nothing from one that publishes. */
export type Role = 'publish' | 'consume';

const roles: readonly Role[] = ['publish', 'consume'];

/** A connection that lived this long was no failure: the back-off starts anew. */
const steadyAfterMs = 5_000;

export interface ConnectionPairOptions {
  readonly name: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  /** Each fact once, in order. */
  readonly emit: (event: DriverEvent) => void;
  /** A connection is there, at `open` and after each loss; awaited before anybody else is told. */
  readonly onMade: (role: Role, connection: BrokerConnection) => Promise<void>;
  /** The broker takes no messages over it, and why; null: it does again. */
  readonly onBlocked: (role: Role, reason: string | null) => void;
}

/** Two connections to one broker, made again when they are lost, and seen as one from outside. */
export class ConnectionPair {
  readonly #settings: ConnectionSettings;
  readonly #options: ConnectionPairOptions;
  readonly #connections = new Map<Role, BrokerConnection>();
  readonly #blocked = new Map<Role, string>();
  readonly #waiting = new Set<() => void>();
  readonly #closing = new AbortController();
  #state: 'new' | 'opening' | 'up' | 'down' | 'closed' = 'new';
  #firstHost = 0;
  #attempts = 0;
  #upSince = 0;
  #losses = 0;
  #reconnecting: Promise<void> = Promise.resolve();

  constructor(settings: ConnectionSettings, options: ConnectionPairOptions) {
    this.#settings = settings;
    this.#options = options;
  }

  /** Whether both are there. */
  get connected(): boolean {
    return this.#state === 'up';
  }

  /** How often one of them was lost. */
  get losses(): number {
    return this.#losses;
  }

  get blocked(): string | null {
    return this.#blocked.get('publish') ?? this.#blocked.get('consume') ?? null;
  }

  /** Makes both. Tries each host once, does not retry. */
  async open(): Promise<void> {
    if (this.#state !== 'new') throw new Refusal('invalid', 'this connection was opened before', 'make a new one');
    this.#state = 'opening';
    try {
      await this.#makeMissing();
      if (!this.#complete) throw new LinkError('a connection was lost at once', { code: 'unavailable' });
    } catch (error) {
      await this.close();
      throw error;
    }
    this.#setUp();
  }

  /** The connection of that role, at once or when it is there again. Rejects with `unavailable`, or `closed`. */
  when(role: Role, deadlineMs: number): Promise<BrokerConnection> {
    return new Promise((resolve, reject) => {
      let cancel = (): void => {};
      const look = (): boolean => {
        const connection = this.#connections.get(role);
        if (this.#state === 'closed') reject(new LinkError('the connection is closed', { code: 'closed' }));
        else if (connection !== undefined) resolve(connection);
        else return false;
        cancel();
        this.#waiting.delete(look);
        return true;
      };
      if (look()) return;
      this.#waiting.add(look);
      cancel = this.#options.clock.schedule(() => {
        this.#waiting.delete(look);
        const where = describe(this.#settings);
        reject(new LinkError(`no connection to ${where} within ${deadlineMs} ms`, { code: 'unavailable' }));
      }, deadlineMs);
    });
  }

  /** Ends both, and every attempt to make one; the broker has `deadlineMs` to say good-bye. */
  async close(deadlineMs = 0): Promise<void> {
    this.#state = 'closed';
    this.#closing.abort();
    for (const look of this.#waiting) look();
    await Promise.all([...this.#connections.values()].map((connection) => connection.close(deadlineMs)));
    this.#blocked.clear();
    await this.#reconnecting;
  }

  get #complete(): boolean {
    return roles.every((role) => this.#connections.has(role));
  }

  #setUp(): void {
    this.#state = 'up';
    this.#upSince = this.#options.clock.now();
  }

  async #makeMissing(): Promise<void> {
    for (const role of roles) {
      if (this.#connections.has(role)) continue;
      const connection = await this.#dial(role);
      // Lost already, or no longer wanted.
      if (!connection.open) continue;
      if (this.#state === 'closed') return connection.close(0);
      this.#connections.set(role, connection);
      await this.#options.onMade(role, connection);
      for (const look of this.#waiting) look();
    }
  }

  /** Tries the hosts in turn. When none answers, rejects with what somebody must mend, or with the last one's trouble. */
  async #dial(role: Role): Promise<BrokerConnection> {
    const { hosts } = this.#settings;
    const { name, clock } = this.#options;
    let trouble: unknown = null;
    for (let tried = 0; tried < hosts.length && !this.#closing.signal.aborted; tried++) {
      const index = (this.#firstHost + tried) % hosts.length;
      const host = hosts[index];
      if (host === undefined) break;
      let made: BrokerConnection | null = null;
      try {
        made = await BrokerConnection.dial(host, this.#settings, `${name} ${role}`, clock, this.#closing.signal, {
          onClosed: (cause) => {
            if (this.#connections.get(role) === made) this.#lost(role, cause);
          },
          onBlocked: (reason) => this.#setBlocked(role, reason),
          onUnblocked: () => this.#setBlocked(role, null),
        });
        this.#firstHost = index;
        return made;
      } catch (error) {
        if (!(trouble instanceof Refusal)) trouble = error;
        this.#options.logger.warn({ host: describeHost(host), error }, `no connection to ${role} over`);
      }
    }
    throw trouble ?? new LinkError('the connection is closed', { code: 'closed' });
  }

  #lost(role: Role, cause: unknown): void {
    this.#losses += 1;
    this.#connections.delete(role);
    this.#setBlocked(role, null);
    if (this.#state !== 'up') return;
    this.#state = 'down';
    if (this.#options.clock.now() - this.#upSince >= steadyAfterMs) this.#attempts = 0;
    this.#emit({ type: 'disconnected', cause });
    this.#reconnecting = this.#reconnect();
  }

  async #reconnect(): Promise<void> {
    const { clock, random } = this.#options;
    while (this.#state === 'down') {
      this.#attempts += 1;
      const delayMs = reconnectDelay(this.#attempts, random());
      this.#emit({ type: 'reconnecting', attempt: this.#attempts, delayMs });
      await sleep(clock, delayMs, this.#closing.signal);
      // Told to the logger, host by host.
      await this.#makeMissing().catch(() => {});
      if (this.#state !== 'down' || !this.#complete) continue;
      this.#setUp();
      this.#emit({ type: 'connected' });
    }
  }

  #setBlocked(role: Role, reason: string | null): void {
    const before = this.blocked;
    if (reason === null) this.#blocked.delete(role);
    else this.#blocked.set(role, reason);
    this.#options.onBlocked(role, reason);
    const now = this.blocked;
    if (before === null && now !== null) this.#emit({ type: 'blocked', reason: now });
    if (before !== null && now === null) this.#emit({ type: 'unblocked' });
  }

  /** What the host throws must not end in amqplib, which would take it for an error of the socket. */
  #emit(event: DriverEvent): void {
    if (this.#state === 'closed') return;
    try {
      this.#options.emit(event);
    } catch (error) {
      this.#options.logger.warn({ error }, `a listener of "${event.type}" threw; report this`);
    }
  }
}
