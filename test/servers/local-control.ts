import { firstHandshake } from './handshake.js';
import type { ServerControl } from './server.js';
import type { ServerProcess } from './server-process.js';

/** Recovery after a kill under load on a busy machine included; far above the 1 to 6 s that a start takes. */
const startDeadlineMs = 90_000;

/** Ends and starts a server that is a child of this process. */
export class LocalControl implements ServerControl {
  readonly #url: string;
  readonly #launch: () => ServerProcess;
  #process: ServerProcess | null = null;

  constructor(url: string, launch: () => ServerProcess) {
    this.#url = url;
    this.#launch = launch;
  }

  get pid(): number | null {
    return this.#process?.pid ?? null;
  }

  async kill9(): Promise<void> {
    await this.#process?.end('SIGKILL');
  }

  async terminate(): Promise<void> {
    await this.#process?.end('SIGTERM');
  }

  async start(): Promise<void> {
    await this.startAndGreet();
  }

  async restart(): Promise<void> {
    await this.kill9();
    await this.start();
  }

  /** `start` that answers the version. Nothing happens to a server that runs. */
  async startAndGreet(): Promise<string> {
    const process = this.pid === null ? this.#launch() : this.#process;
    this.#process = process;
    try {
      return await firstHandshake(this.#url, { deadlineMs: startDeadlineMs, ended: () => process?.ended ?? null });
    } catch (error) {
      await this.kill9();
      throw new Error(
        `cannot start the server of ${withoutUser(this.#url)}: ${String(error)}\n${process?.lastWords()}`,
      );
    }
  }
}

const withoutUser = (url: string): string => url.replace(/\/\/.*@/, '//');
