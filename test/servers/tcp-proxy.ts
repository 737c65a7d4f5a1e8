import { once } from 'node:events';
import { type AddressInfo, createConnection, createServer, type Server as NetServer, type Socket } from 'node:net';
import type { Conduct, Direction, Slowness } from './conduct.js';
import { ProxiedConnection } from './proxied-connection.js';

const passing: Conduct = { paused: new Set(), halfOpen: false };

/** Starts a proxy on a free port of 127.0.0.1, in front of the server of `url`. */
export async function tcpProxy(url: string): Promise<TcpProxy> {
  const proxy = new TcpProxy(url);
  await proxy.listen();
  return proxy;
}

/** Stands between client and server and does to TCP connections what networks do. */
export class TcpProxy {
  readonly #target: URL;
  readonly #connections = new Set<ProxiedConnection>();
  #conduct: Conduct = passing;
  #listener: NetServer | null = null;
  #port = 0;

  constructor(url: string) {
    this.#target = new URL(url);
  }

  get port(): number {
    return this.#port;
  }

  /** How many connections there are now. */
  get connections(): number {
    return this.#connections.size;
  }

  /** The same URL, through the proxy. Another one of the same server (its database or vhost) may be given. */
  url(of: string = this.#target.href): string {
    const through = new URL(of);
    through.hostname = '127.0.0.1';
    through.port = String(this.#port);
    return through.href;
  }

  /** Accepts connections; nothing happens when it does already. The port stays the same. */
  async listen(): Promise<void> {
    if (this.#listener !== null) return;
    const listener = createServer({ allowHalfOpen: true }, (client) => this.#accept(client));
    this.#listener = listener;
    listener.listen(this.#port, '127.0.0.1');
    await once(listener, 'listening');
    this.#port = (listener.address() as AddressInfo).port;
  }

  /** New connections are refused until `listen`; those that are there stay. */
  async refuse(): Promise<void> {
    const listener = this.#listener;
    this.#listener = null;
    // Its close event would wait for the connections.
    listener?.close();
  }

  /** Resets (RST) every connection, both ways. New ones are accepted. */
  cut(): void {
    for (const connection of this.#connections) connection.reset();
  }

  /** Swallows what is sent either way, over old and new connections, and closes none: the other side is gone and nobody says so. */
  halfOpen(): void {
    this.#change({ halfOpen: true });
  }

  /** Holds back what comes from one side, and lets that side feel it (TCP's window fills). Nothing is lost: `resume` lets it through. */
  pause(direction: Direction): void {
    this.#change({ paused: new Set([...this.#conduct.paused, direction]) });
  }

  /** Makes old and new connections slow. */
  slow(slowness: Slowness): void {
    this.#change(slowness);
  }

  /** Ends half-open, pauses and slowness. A connection of which bytes were swallowed is reset: it cannot be repaired. */
  resume(): void {
    this.#conduct = passing;
    for (const connection of this.#connections) {
      if (connection.lostBytes) connection.reset();
      else connection.behave(this.#conduct);
    }
  }

  /** Resets all and stops listening. May be called twice. */
  async close(): Promise<void> {
    await this.refuse();
    this.cut();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #change(conduct: Partial<Conduct>): void {
    this.#conduct = { ...this.#conduct, ...conduct };
    for (const connection of this.#connections) connection.behave(this.#conduct);
  }

  #accept(client: Socket): void {
    const server = createConnection({ host: this.#target.hostname, port: portOf(this.#target), allowHalfOpen: true });
    const connection = new ProxiedConnection(client, server, this.#conduct);
    this.#connections.add(connection);
    void connection.closed.then(() => this.#connections.delete(connection));
  }
}

function portOf({ port, protocol }: URL): number {
  return Number(port) || ({ 'mysql:': 3306, 'mariadb:': 3306, 'amqp:': 5672, 'amqps:': 5671 }[protocol] ?? 0);
}
