import { isIP } from 'node:net';
import { type ChannelModel, connect, type Options, type SocketOptions } from 'amqplib';
import type { Clock } from '../../driver.js';
import { gatherWrites } from './gather-writes.js';
import { handshakeError } from './handshake-error.js';
import { holdChannelNumbers } from './hold-channel-numbers.js';
import { LinkError } from './link-error.js';
import { type BrokerHost, type ConnectionSettings, describeHost } from './settings.js';
import { type Wire, wireOf } from './wire.js';

/** What the owner of a connection hears of it. */
export interface ConnectionEvents {
  /** Once, whoever ended it: the broker, an operator, the network, we. No channel of it lives by then. */
  onClosed(cause: unknown): void;
  onBlocked(reason: string): void;
  onUnblocked(): void;
}

/** One AMQP connection: made once, lost once. Making the next one is its owner's task. */
export class BrokerConnection {
  readonly model: ChannelModel;
  readonly wire: Wire;
  readonly #clock: Clock;
  readonly #socket: AbortController;
  readonly #events: ConnectionEvents;
  readonly #closed: Promise<void>;
  #resolveClosed: () => void = () => {};
  #open = true;
  #closing = false;
  #cause: unknown = null;

  private constructor(model: ChannelModel, socket: AbortController, clock: Clock, events: ConnectionEvents) {
    this.model = model;
    this.wire = wireOf(model.connection);
    gatherWrites(this.wire.socket);
    holdChannelNumbers(model.connection);
    this.#clock = clock;
    this.#socket = socket;
    model.on('error', (error) => {
      this.#cause ??= error;
    });
    model.on('blocked', (reason) => events.onBlocked(reason));
    model.on('unblocked', () => events.onUnblocked());
    this.#events = events;
    this.#closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    // Not `error`: when an operator closes the connection there is none.
    model.on('close', (error) => this.#end(error));
  }

  /**
   * Connects to one host and shakes hands, within the settings' deadline. Rejects with what `handshakeError` makes
   * of it. `name` is what the broker's own tools show.
   */
  static async dial(
    to: BrokerHost,
    settings: ConnectionSettings,
    name: string,
    clock: Clock,
    signal: AbortSignal,
    events: ConnectionEvents,
  ): Promise<BrokerConnection> {
    // Destroys the socket at whatever stage it is: amqplib hands it out at none.
    const socket = new AbortController();
    const end = (): void => socket.abort();
    let late = false;
    const cancel = clock.schedule(() => {
      late = true;
      end();
    }, settings.connectDeadlineMs);
    signal.addEventListener('abort', end, { once: true });
    if (signal.aborted) end();
    try {
      const model = await connect(address(to, settings), socketOptions(to, settings, name, socket.signal));
      return new BrokerConnection(model, socket, clock, events);
    } catch (error) {
      if (late)
        throw new LinkError(`no connection to ${describeHost(to)} within ${settings.connectDeadlineMs} ms`, {
          code: 'unavailable',
          cause: error,
        });
      throw handshakeError(error, to, settings);
    } finally {
      cancel();
      signal.removeEventListener('abort', end);
    }
  }

  get open(): boolean {
    return this.#open;
  }

  /** Whether good-bye was said: nothing may be written any more. */
  get closing(): boolean {
    return this.#closing;
  }

  /** Why it was lost. An operator's close and a lost socket may say so only after the channels were closed. */
  get cause(): unknown {
    return this.#cause ?? new LinkError('the connection was closed', { code: 'unavailable', outcomeUnknown: true });
  }

  /** What the broker said of itself. */
  get server(): Readonly<Record<string, unknown>> {
    return this.model.connection.serverProperties;
  }

  /** Ends it at once, because of `cause`, without a word to the broker. */
  destroy(cause: unknown): void {
    this.#cause ??= cause;
    this.#socket.abort();
    // amqplib tells of a socket's end once; had it done so before it handed out the connection, nobody heard it.
    setImmediate(() => this.#end(cause));
  }

  /** Says good-bye, waits for the answer until `deadlineMs` have passed, and then ends it all the same. */
  async close(deadlineMs: number): Promise<void> {
    if (!this.#open) return;
    this.#closing = true;
    const late = new LinkError(`the broker did not close the connection within ${deadlineMs} ms`, { code: 'timeout' });
    const cancel = this.#clock.schedule(() => this.destroy(late), deadlineMs);
    // It rejects when the connection ends in another way meanwhile: just as well.
    this.model.close().catch(() => {});
    await this.#closed;
    cancel();
  }

  #end(cause: unknown): void {
    if (!this.#open) return;
    this.#open = false;
    this.#cause ??= cause ?? null;
    // amqplib only ends its side of the socket, and a peer that is a black hole never ends the other.
    this.#socket.abort();
    this.#resolveClosed();
    this.#events.onClosed(this.cause);
  }
}

function address(to: BrokerHost, settings: ConnectionSettings): Options.Connect {
  return {
    protocol: settings.tls === null ? 'amqp' : 'amqps',
    hostname: to.host,
    port: to.port,
    // amqplib decodes it once more.
    vhost: encodeURIComponent(settings.vhost),
    username: settings.username,
    password: settings.password(),
    heartbeat: settings.heartbeatSeconds,
  };
}

/** `signal` is Node's: amqplib hands everything on to `net.connect` and `tls.connect`. */
function socketOptions(
  to: BrokerHost,
  settings: ConnectionSettings,
  name: string,
  signal: AbortSignal,
): SocketOptions & { readonly signal: AbortSignal } {
  return {
    // Without it, Nagle's algorithm and delayed acknowledgements add 22 ms to each message at 500 per second.
    noDelay: true,
    clientProperties: { connection_name: name },
    // TLS refuses an IP address as a server name; certificates for one are checked by the host itself.
    ...(isIP(to.host) === 0 ? { servername: to.host } : {}),
    ...settings.tls?.(),
    signal,
  };
}
