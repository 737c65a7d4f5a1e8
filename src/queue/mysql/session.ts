import { Refusal, systemClock } from '../driver.js';
import type { LinkSettings, LinkSource, OwnLink } from './link.js';
import { again } from './lock-conflict.js';

/** So often in the time after which the server would give up a connection, something is said on one that has nothing to do. */
const wordsPerSilence = 3;

/** How a piece of work runs on a session: statement by statement, or as one transaction. */
export type Work<T> = (link: OwnLink) => Promise<T>;

/**
 * One connection with one job, made when it is first needed and anew when it was lost. Work runs one piece after the other.
 * What a deadlock or a lock that was not given has undone runs again, up to a bound: of everything else the caller is told.
 */
export class Session {
  readonly #source: LinkSource;
  readonly #settings: LinkSettings;
  #link: OwnLink | null = null;
  #tail: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #closed = false;
  #cancelWord: () => void = () => {};

  constructor(source: LinkSource, settings: LinkSettings) {
    this.#source = source;
    this.#settings = settings;
  }

  /** Called with each link that is lost without having been asked to end. */
  onLost: (cause: unknown) => void = () => {};

  get idle(): boolean {
    return this.#waiting === 0;
  }

  /** Connects, so that nobody waits for it later. */
  warm(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#linked();
    });
  }

  /** Work whose statements each stand for themselves: on a session with autocommit. */
  run<T>(work: Work<T>): Promise<T> {
    return this.#inTurn(async () => again(async () => work(await this.#linked())));
  }

  /** Work that happens as a whole or not at all. Runs again from its beginning after a deadlock. */
  transact<T>(work: Work<T>): Promise<T> {
    return this.#inTurn(async () =>
      again(async () => {
        const link = await this.#linked();
        try {
          if (this.#settings.autocommit) await link.write('begin');
          const result = await work(link);
          await link.write('commit');
          return result;
        } catch (error) {
          // 1205 undoes a statement and leaves the transaction open, with all its locks.
          if (link.alive) await link.write('rollback').catch((cause: unknown) => link.destroy(cause));
          throw error;
        }
      }),
    );
  }

  /** Ends the connection; what comes afterwards is refused. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelWord();
    await this.#tail.catch(() => {});
    await this.#link?.end();
    this.#link = null;
  }

  /** Ends it now: what is under way rejects. */
  destroy(cause: unknown): void {
    this.#closed = true;
    this.#cancelWord();
    this.#link?.destroy(cause);
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    this.#waiting++;
    const mine = this.#tail.then(work).finally(() => {
      this.#waiting--;
    });
    this.#tail = mine.catch(() => {});
    return mine;
  }

  async #linked(): Promise<OwnLink> {
    if (this.#link?.alive) return this.#link;
    if (this.#closed) throw closed();
    const link = await this.#source.connect(this.#settings);
    if (this.#closed) {
      link.destroy(closed());
      throw closed();
    }
    link.onLost = (cause) => this.onLost(cause);
    this.#link = link;
    this.#keepHeard(link);
    return link;
  }

  /** Has the server hear of this connection also while there is nothing to do. Work that is under way speaks for itself. */
  #keepHeard(link: OwnLink): void {
    this.#cancelWord();
    this.#cancelWord = systemClock.schedule(
      () => {
        if (!link.alive) return;
        this.#keepHeard(link);
        if (!this.idle) return;
        // A link that is lost says so by itself.
        this.#inTurn(async () => link.alive && (await link.write('do 0'))).catch(() => {});
      },
      (this.#settings.silenceSeconds * 1_000) / wordsPerSilence,
    );
  }
}

function closed(): Refusal {
  return new Refusal('closed', 'the mysql driver is closed', 'make another one');
}
