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
    if (this.#killed) socket.destroy(new Error('the process was killed'));
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    return socket;
  }

  /** Ends every connection without a word of the client's protocol. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy(new Error('the connection was cut'));
  }

  /** As the end of the process does it: no connection is made any more either. */
  kill(): void {
    this.#killed = true;
    this.cut();
  }
}
