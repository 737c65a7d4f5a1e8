import { connect, type Socket } from 'node:net';

/** The sockets of one client, so that a test can take them away from under it. */
export class MortalSockets {
  readonly #sockets = new Set<Socket>();
  #killed = false;

  get killed(): boolean {
    return this.#killed;
  }

  /** What mysql2 calls `stream`: makes the socket of a connection. */
  open(host: string, port: number): Socket {
    const socket = connect(port, host);
    if (this.#killed) socket.destroy(reset());
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    return socket;
  }

  /** The ports of this machine by which the server tells its connections apart. */
  get ports(): readonly number[] {
    return [...this.#sockets].flatMap(({ localPort }) => localPort ?? []);
  }

  /** Ends every connection without a word of the client's protocol. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy(reset());
  }

  /** As the end of the process does it: no connection is made any more either. */
  kill(): void {
    this.#killed = true;
    this.cut();
  }
}

/** What Node says when the other side has reset a connection. */
function reset(): Error {
  return Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET', errno: -104, syscall: 'read' });
}
