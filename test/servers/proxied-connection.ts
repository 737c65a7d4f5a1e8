import type { Socket } from 'node:net';
import type { Conduct } from './conduct.js';
import { Flow } from './flow.js';

/** One client and the server, joined. */
export class ProxiedConnection {
  readonly closed: Promise<void>;
  readonly #sockets: readonly [Socket, Socket];
  readonly #fromClient: Flow;
  readonly #fromServer: Flow;

  constructor(client: Socket, server: Socket, conduct: Conduct) {
    this.#sockets = [client, server];
    for (const socket of this.#sockets) {
      socket.setNoDelay(true);
      // An end by error is an end; whichever side it comes from, the other is reset below.
      socket.on('error', () => this.reset());
    }
    this.#fromClient = new Flow(client, server, 'fromClient', conduct);
    this.#fromServer = new Flow(server, client, 'fromServer', conduct);
    this.closed = Promise.all(
      this.#sockets.map((socket) => new Promise((resolve) => socket.once('close', resolve))),
    ).then(() => undefined);
  }

  get lostBytes(): boolean {
    return this.#fromClient.lostBytes || this.#fromServer.lostBytes;
  }

  behave(conduct: Conduct): void {
    this.#fromClient.behave(conduct);
    this.#fromServer.behave(conduct);
  }

  reset(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }
}
