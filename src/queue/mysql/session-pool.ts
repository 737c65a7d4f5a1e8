import type { LinkSettings, LinkSource } from './link.js';
import { Session, type Work } from './session.js';

/** A few sessions of one kind: work goes to one that is idle, or waits for the next. Connections are made when they are needed. */
export class SessionPool {
  readonly #sessions: readonly Session[];
  #next = 0;

  constructor(source: LinkSource, settings: LinkSettings, size: number, onLost: (cause: unknown) => void) {
    this.#sessions = Array.from({ length: size }, () => {
      const session = new Session(source, settings);
      session.onLost = onLost;
      return session;
    });
  }

  run<T>(work: Work<T>): Promise<T> {
    return this.#free().run(work);
  }

  transact<T>(work: Work<T>): Promise<T> {
    return this.#free().transact(work);
  }

  async close(): Promise<void> {
    await Promise.all(this.#sessions.map((session) => session.close()));
  }

  destroy(cause: unknown): void {
    for (const session of this.#sessions) session.destroy(cause);
  }

  /** The first that is idle, so that a quiet process has few connections. */
  #free(): Session {
    const idle = this.#sessions.find((session) => session.idle);
    if (idle !== undefined) return idle;
    this.#next = (this.#next + 1) % this.#sessions.length;
    return this.#sessions[this.#next] as Session;
  }
}
