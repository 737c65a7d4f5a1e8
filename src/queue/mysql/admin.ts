import type {
  Depth,
  DrainedLetter,
  DriverAdmin,
  GroupTopology,
  LetterBox,
  LetterList,
  LetterPage,
  SignsOfUse,
  TopicTopology,
  Waiting,
} from '../driver.js';
import { requireGroup, topologiesOf } from './catalogue.js';
import type { Context } from './context.js';
import { addGroup, emptyBox, removeGroup } from './declaring.js';
import { depthOf } from './depth.js';
import { drain, drainLetters } from './drain.js';
import { boxOf, listLetters, purgeBatch, redriveBatch, wantedOf } from './letters.js';
import type { Pauses } from './pauses.js';

/** How many rows of a removed group one statement deletes. */
const rowsPerDelete = 2_000;

/** See `DriverAdmin`. Everything is looked up in the tables, not in what this process knows. */
export class MysqlAdmin implements DriverAdmin {
  readonly #context: () => Context;
  readonly #pauses: () => Pauses;

  /** Both throw a `closed` refusal unless the driver is open. */
  constructor(context: () => Context, pauses: () => Pauses) {
    this.#context = context;
    this.#pauses = pauses;
  }

  async topics(): Promise<readonly TopicTopology[]> {
    return topologiesOf(await this.#context().catalogue.refresh());
  }

  async addGroup(topic: string, group: GroupTopology): Promise<void> {
    const { senders, tables, catalogue } = this.#context();
    await senders.transact((link) => addGroup(link, tables, topic, group));
    await catalogue.refresh();
  }

  async removeGroup(topic: string, group: string): Promise<void> {
    const { senders, tables, catalogue } = this.#context();
    const box = await senders.transact((link) => removeGroup(link, tables, topic, group));
    await catalogue.refresh();
    if (box === null) return;
    while ((await senders.run((link) => emptyBox(link, tables, box, rowsPerDelete))) === rowsPerDelete) {
      // The next part.
    }
  }

  async pause(topic: string, name: string): Promise<void> {
    const group = requireGroup(await this.#context().catalogue.refresh(), topic, name);
    await this.#pauses().pause(group);
  }

  async resume(topic: string, name: string): Promise<void> {
    const group = requireGroup(await this.#context().catalogue.refresh(), topic, name);
    await this.#pauses().resume(group);
  }

  async depth(topic: string, name: string): Promise<Depth> {
    const { senders, tables, catalogue } = this.#context();
    const group = requireGroup(await catalogue.refresh(), topic, name);
    return senders.run((link) => depthOf(link, tables, group));
  }

  async drain(
    topic: string,
    name: string,
    max: number,
    keep: (waiting: readonly Waiting[]) => Promise<void>,
  ): Promise<number> {
    const context = this.#context();
    return drain(context, requireGroup(await context.catalogue.refresh(), topic, name), max, keep);
  }

  async drainLetters(
    topic: string,
    name: string,
    max: number,
    keep: (letters: readonly DrainedLetter[]) => Promise<void>,
  ): Promise<number> {
    const context = this.#context();
    return drainLetters(context, requireGroup(await context.catalogue.refresh(), topic, name), max, keep);
  }

  /** Who consumes has a holder, and its lock for as long as it lives. A row's number rises with each publish. */
  async signsOfUse(): Promise<SignsOfUse> {
    const { senders, tables } = this.#context();
    return senders.run(async (link) => {
      const holders = await link.rows(`select id from ${tables.holders} where is_free_lock(lock_name) = 0`);
      const [last] = await link.rows(`select max(id) as id from ${tables.messages}`);
      return {
        others: holders.map(({ id }) => `a process consumes it, holder ${id}`),
        counter: String(last?.id ?? null),
      };
    });
  }

  async letters(box: LetterBox, page: LetterPage): Promise<LetterList> {
    const { senders, tables, catalogue } = this.#context();
    const number = boxOf(box, await catalogue.refresh());
    return senders.run((link) => listLetters(link, tables, number, page));
  }

  async redrive(box: LetterBox, ids: readonly string[] | 'all'): Promise<number> {
    const { senders, tables, catalogue, wakes } = this.#context();
    const topics = await catalogue.refresh();
    const number = boxOf(box, topics);
    const wanted = await senders.run((link) => wantedOf(link, tables, number, ids));
    let moved = 0;
    for (let after: number | null = 0; after !== null; ) {
      const from: number = after;
      const batch = await senders.transact((link) => redriveBatch(link, tables, wanted, from, topics));
      moved += batch.moved;
      after = batch.after;
      wakes.tell(batch.boxes, 0);
    }
    return moved;
  }

  async purge(box: LetterBox, ids: readonly string[] | 'all'): Promise<number> {
    const { senders, tables, catalogue } = this.#context();
    const number = boxOf(box, await catalogue.refresh());
    const wanted = await senders.run((link) => wantedOf(link, tables, number, ids));
    let purged = 0;
    for (;;) {
      const batch = await senders.transact((link) => purgeBatch(link, tables, wanted));
      purged += batch;
      if (batch === 0) return purged;
    }
  }
}
