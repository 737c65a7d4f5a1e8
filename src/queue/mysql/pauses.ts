import { randomBytes } from 'node:crypto';
import { noGroup, Refusal, sleep, systemClock } from '../driver.js';
import type { KnownGroup } from './catalogue.js';
import type { Claimer } from './claimer.js';
import type { Context } from './context.js';
import type { Life } from './life.js';
import { bytes, text } from './sql-values.js';

/** How long another process may take to say that it heeds a pause. It looks every 600 ms. */
const patienceMs = 10_000;

/** Who is told of pauses: a subscription. */
export interface PauseListener {
  readonly topic: string;
  readonly group: string;
  heed(paused: boolean): void;
}

/**
 * Which groups are paused, as far as this process knows, and what it has said about that. Looked at by `Life`, by the prober
 * where somebody waits, and whenever this process pauses or resumes something itself.
 */
export class Pauses {
  readonly #context: Context;
  readonly #claimer: Claimer;
  readonly #life: Life;
  readonly #listeners = new Set<PauseListener>();
  #looking: Promise<void> | null = null;
  #next: Promise<void> | null = null;

  constructor(context: Context, claimer: Claimer, life: Life) {
    this.#context = context;
    this.#claimer = claimer;
    this.#life = life;
  }

  /** Resolves when the listener knows, and everybody may know that it does. Answers a function that ends it. */
  async join(listener: PauseListener): Promise<() => void> {
    this.#listeners.add(listener);
    await this.look();
    return () => this.#listeners.delete(listener);
  }

  /** Looks at some moment after this call; those who ask while one look is under way share the next. */
  look(): Promise<void> {
    if (this.#looking === null) {
      this.#looking = this.#look().finally(() => {
        this.#looking = null;
      });
      return this.#looking;
    }
    this.#next ??= this.#looking
      .catch(() => {})
      .then(() => {
        this.#next = null;
        return this.look();
      });
    return this.#next;
  }

  async pause(group: KnownGroup): Promise<void> {
    const { senders, tables } = this.#context;
    const row = await senders.run(async (link) => {
      const token = bytes(randomBytes(12).toString('hex'));
      await link.write(`update ${tables.groups} set paused = coalesce(paused, ?) where id = ?`, [token, group.id]);
      return (await link.rows(`select paused from ${tables.groups} where id = ?`, [group.id]))[0];
    });
    if (row === undefined) throw noGroup(group.topic.name, group.name);
    await this.look();
    // Resumed by somebody meanwhile: nobody is waited for.
    if (row.paused !== null) await this.#untilHeeded(group, text(row.paused));
  }

  async resume(group: KnownGroup): Promise<void> {
    const { senders, tables } = this.#context;
    await senders.run((link) => link.write(`update ${tables.groups} set paused = null where id = ?`, [group.id]));
    await this.look();
  }

  async #look(): Promise<void> {
    // Who reads nothing has nothing to stop.
    if (this.#listeners.size === 0 && !this.#life.isHolder) return;
    const { senders, tables } = this.#context;
    const rows = await senders.run((link) =>
      link.rows(
        `select g.id, t.name as topic, g.name as group_name, g.paused
         from ${tables.groups} g
         join ${tables.topics} t on t.id = g.topic_id
         where g.paused is not null
         order by g.id`,
      ),
    );
    // First nothing is claimed any more, then the readers stop.
    this.#claimer.pause(new Set(rows.map(({ id }) => Number(id))));
    const paused = new Set(rows.map((row) => nameOf(text(row.topic), text(row.group_name))));
    for (const listener of this.#listeners) listener.heed(paused.has(nameOf(listener.topic, listener.group)));
    await this.#life.heed(rows.map(({ paused }) => text(paused)).join(' '));
  }

  /** Until each process that reads says so, or is seen to be dead. */
  async #untilHeeded({ name, topic }: KnownGroup, token: string): Promise<void> {
    const { senders, tables } = this.#context;
    const untilMs = systemClock.now() + patienceMs;
    for (let waitMs = 10; ; waitMs = Math.min(100, waitMs * 1.5)) {
      const [row] = await senders.run((link) =>
        link.rows(`select count(*) as n from ${tables.holders} where heeded is null or instr(heeded, ?) = 0`, [
          bytes(token),
        ]),
      );
      const missing = Number(row?.n);
      if (missing === 0) return;
      if (systemClock.now() >= untilMs) throw notHeeded(topic.name, name, missing);
      await sleep(systemClock, waitMs);
    }
  }
}

function notHeeded(topic: string, group: string, missing: number): Refusal {
  return new Refusal(
    'timeout',
    `group "${group}" of "${topic}" is paused, but ${missing} of the processes that read did not say within ${patienceMs} ms that they have stopped`,
    'pause it again to wait for them again; they stop as soon as they look',
  );
}

function nameOf(topic: string, group: string): string {
  return JSON.stringify([topic, group]);
}
