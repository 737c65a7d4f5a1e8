import { type Clock, Refusal, sleep } from '../driver.js';
import { type Link, replyCodeOf } from './connection/index.js';
import type { Names } from './names.js';

/** What the broker says of an exclusive queue of another connection. */
const resourceLocked = 405;

/** How long somebody else may have it. */
const patienceMs = 15_000;

/**
 * Locks that all processes share: an exclusive queue, which the broker takes away when its connection ends, so that
 * no lock outlives its holder. Within one connection declaring it again would succeed: callers of one process wait in line.
 */
export class Locks {
  readonly #link: Link;
  readonly #names: Names;
  readonly #clock: Clock;
  /** The last of those that wait, by lock. */
  readonly #lines = new Map<string, Promise<unknown>>();

  constructor(link: Link, names: Names, clock: Clock) {
    this.#link = link;
    this.#names = names;
    this.#clock = clock;
  }

  /** Does `work` while nobody else does any under the same name. Rejects with a `conflict` refusal when others have it for too long. */
  async with<T>(of: string, work: () => Promise<T>): Promise<T> {
    const lock = this.#names.lock(of);
    const before = this.#lines.get(lock) ?? Promise.resolve();
    const turn = before.then(() => this.#holding(lock, work));
    const over = turn.catch(() => {});
    this.#lines.set(lock, over);
    try {
      return await turn;
    } finally {
      if (this.#lines.get(lock) === over) this.#lines.delete(lock);
    }
  }

  async #holding<T>(lock: string, work: () => Promise<T>): Promise<T> {
    await this.#take(lock);
    try {
      return await work();
    } finally {
      // If this fails, the connection has: the lock is gone with it.
      await this.#link.withChannel(`unlock "${lock}"`, (channel) => channel.deleteQueue(lock)).catch(() => {});
    }
  }

  async #take(lock: string): Promise<void> {
    const deadlineAt = this.#clock.now() + patienceMs;
    for (let waitMs = 2; ; waitMs = Math.min(100, waitMs * 1.5)) {
      try {
        await this.#link.withChannel(`lock "${lock}"`, (channel) =>
          channel.assertQueue(lock, { exclusive: true, durable: false, autoDelete: false }),
        );
        return;
      } catch (error) {
        if (replyCodeOf(error) !== resourceLocked) throw error;
        if (this.#clock.now() > deadlineAt) {
          throw new Refusal('conflict', `somebody else has had the lock "${lock}" for ${patienceMs} ms`, 'try again');
        }
      }
      await sleep(this.#clock, waitMs);
    }
  }
}
