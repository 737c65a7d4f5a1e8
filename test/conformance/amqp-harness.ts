import { connect } from 'amqplib';
import { type Clock, type Driver, systemClock } from 'signalbox';
import { type AmqpOptions, amqp } from 'signalbox/amqp';
import type { Harness } from 'signalbox/conformance';
import { sleep } from 'signalbox/driver';
import { type TcpProxy, tcpProxy } from '../servers/index.js';
import { mortal } from './mortal.js';

export interface AmqpHarnessOptions {
  /** A vhost that is this harness's alone. */
  readonly url: string;
  readonly version: string;
  /** Ends the broker as `kill -9` does and starts it again; left out where it is not ours to end. */
  readonly restart?: (() => Promise<void>) | undefined;
  /** Makes the drivers: those of a changed copy of the code, where that is judged. */
  readonly make?: typeof amqp;
  /** Puts something around each client: a mutant. */
  readonly wrap?: (driver: Driver) => Driver;
  readonly options?: Omit<AmqpOptions, 'url' | 'clock'>;
  readonly timeFactor?: number;
}

/** The RabbitMQ driver on a real broker. Each client has a proxy of its own before it, so that its connections can be cut. */
export function amqpHarness(given: AmqpHarnessOptions): Harness {
  const { url, version, restart, make = amqp, wrap = (driver) => driver } = given;
  const { options = {}, timeFactor = 1 } = given;
  const networks = new WeakMap<Driver, Network>();

  const clientAt = async (clock?: Clock): Promise<Driver> => {
    const network = await Network.before(url);
    const inner = wrap(make({ ...options, url: network.url, ...(clock === undefined ? {} : { clock }) }));
    const driver = mortal(closingToo(inner, network, clock ?? null), network);
    networks.set(driver, network);
    return driver;
  };

  return {
    backend: 'amqp',
    version,
    time: { kind: 'real', timeFactor },
    client: () => clientAt(),
    /** The process has the wrong time of day, the library and the driver alike; the broker has not. */
    clientWithWrongClock: (offsetMs) =>
      clientAt({
        now: () => systemClock.now() + offsetMs,
        schedule: (callback, delayMs) => systemClock.schedule(callback, delayMs),
      }),
    cutConnections: async (driver) => {
      networks.get(driver)?.cut();
      // Cut is what its client knows to be cut: a reset takes its way through two sockets.
      const lateAt = systemClock.now() + noticedMs * timeFactor;
      while (driver.health().connected && systemClock.now() < lateAt) await sleep(systemClock, 1);
    },
    killSubscriber: (driver) => networks.get(driver)?.kill(),
    restartBackend: restart,
    // As any program would that knows the topic's exchange and nothing of us.
    sendForeign: async ({ topic, routingKey, body }) => {
      const connection = await connect(url);
      connection.on('error', () => {});
      const channel = await connection.createConfirmChannel();
      channel.on('error', () => {});
      // In names, dots are written as colons.
      const exchange = `${options.prefix ?? 'signalbox'}.to.${topic.replaceAll('.', ':')}`;
      channel.publish(exchange, routingKey ?? '', Buffer.from(body));
      await channel.waitForConfirms();
      await connection.close();
    },
  };
}

/** A reset is noticed at once, but on a busy machine. */
const noticedMs = 2_000;

/** Many turns of the event loop that client and proxy share. */
const writtenArrivesMs = 20;

/** What is between one client and the broker. */
class Network {
  readonly #proxy: TcpProxy;
  #killed = false;

  private constructor(proxy: TcpProxy) {
    this.#proxy = proxy;
  }

  static async before(url: string): Promise<Network> {
    return new Network(await tcpProxy(url));
  }

  get url(): string {
    return this.#proxy.url();
  }

  get killed(): boolean {
    return this.#killed;
  }

  cut(): void {
    this.#proxy.cut();
  }

  /** As the end of the process does it: no connection is made any more either. */
  async kill(): Promise<void> {
    this.#killed = true;
    // What a process has written to its sockets arrives, although it dies at once; here, the proxy has to get to it first.
    await sleep(systemClock, writtenArrivesMs);
    await this.#proxy.close();
  }

  async close(): Promise<void> {
    await this.#proxy.close();
  }
}

/** The same driver, with its network gone when it is closed, and with the clock of its machine. */
function closingToo(driver: Driver, network: Network, clock: Clock | null): Driver {
  return new Proxy(driver, {
    get: (inner, name) => {
      if (name === 'clock') return clock;
      if (name === 'close') return () => inner.close().finally(() => network.close());
      const value: unknown = Reflect.get(inner, name, inner);
      return typeof value === 'function' ? value.bind(inner) : value;
    },
  });
}
