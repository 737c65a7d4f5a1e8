import { classifyMysql } from '../../sql/mysql-errors.js';
import type { Send, SendResult } from '../driver.js';
import { type Arrivals, tellArrivals } from './arrivals.js';
import { batchOf, groupsOf, overtaking, type Placed, StoppedKeys, storedAs } from './batch.js';
import type { Context } from './context.js';
import { isKeyBusy, takeKeys } from './idempotency.js';
import { checkVersions, chunksOf, insertAll, insertOne, isOneStatement, StaleCatalogue } from './insert.js';
import type { Link } from './link.js';
import { RepeatedSends } from './repeated-sends.js';

/** Groups that change all the time are somebody's mistake; a publisher that never comes to its insert would hang on it. */
const mostLooks = 10;

/** The answers of one batch, each at its entry's place. */
type Results = (SendResult | undefined)[];

/** Brings messages into the tables. */
export class Sending {
  readonly #context: Context;
  readonly #recent = new RepeatedSends();

  constructor(context: Context) {
    this.#context = context;
  }

  /** See `Driver.send`. */
  async send(sends: readonly Send[]): Promise<readonly SendResult[]> {
    const { results, placed } = await this.#placed(sends, (send) => this.#recent.find(send.nonce));
    const open = await this.#recent.withoutStored(this.#context, placed, (entry) => {
      results[entry.at] = storedAs(entry);
    });
    await this.#store(open, results);
    for (const [at, result] of results.entries())
      this.#recent.remember((sends[at] as Send).nonce, result as SendResult);
    return results as SendResult[];
  }

  /** Inside a caller's transaction: never repeated, for its statements may be undone already. */
  async sendWithin(link: Link, sends: readonly Send[]): Promise<readonly SendResult[]> {
    const { statements, statementBytes } = this.#context;
    for (let look = 1; ; look++) {
      const { results, placed } = await this.#placed(sends, () => undefined, look > 1);
      try {
        const nowMs = await checkVersions(link, statements.versionsLocked, placed);
        const decided = await takeKeys(link, statements, placed);
        const open = placed.filter((entry) => !decided.has(entry));
        for (const chunk of chunksOf(open, statementBytes)) await insertAll(link, this.#context, chunk, nowMs);
        for (const entry of placed) results[entry.at] = decided.get(entry) ?? storedAs(entry);
        return results as SendResult[];
      } catch (error) {
        if (!(error instanceof StaleCatalogue) || look >= mostLooks) throw error;
      }
    }
  }

  async #placed(sends: readonly Send[], known: (send: Send) => SendResult | undefined, look = false) {
    const { catalogue } = this.#context;
    if (look) await catalogue.refresh();
    const batch = batchOf(sends, catalogue.topics, known);
    // What is not known may have been declared by another process since.
    if (look || batch.results.every((result) => result?.status !== 'failed')) return batch;
    return batchOf(sends, await catalogue.refresh(), known);
  }

  /** All in one transaction where it has idempotency keys, so that the batch keeps its order. */
  async #store(placed: readonly Placed[], results: Results): Promise<void> {
    const { plain, keyed } = byKeys(placed);
    if (keyed.length === 0) return this.#storePlain(placed, results);
    const isAlone = placed.length === 1;
    if (!isAlone && (await this.#tryKeyed(placed, results))) return;
    // Somebody's open transaction has used one of the keys, or the server does not take one of the entries: neither must keep the
    // others from being stored. Only who is alone waits for a key; the others come again with the caller's back-off.
    const lines = keyed.map((line) =>
      this.#storeKeyed(line, results, isAlone).catch((error) => this.#fail(line, results, error)),
    );
    await Promise.all([this.#storePlain(plain, results), ...lines]);
  }

  /** False: nothing was stored, and in parts it may be. */
  async #tryKeyed(placed: readonly Placed[], results: Results): Promise<boolean> {
    try {
      await this.#storeKeyed(placed, results, false);
    } catch (error) {
      const { outcomeUnknown, retryable } = classifyMysql(error);
      if (isKeyBusy(error) || !(outcomeUnknown || retryable)) return false;
      this.#fail(placed, results, error);
    }
    return true;
  }

  #fail(placed: readonly Placed[], results: Results, error: unknown): void {
    const { outcomeUnknown } = classifyMysql(error);
    for (const { at, send } of placed) {
      results[at] = { status: 'failed', error };
      if (outcomeUnknown) this.#recent.unknown(send);
    }
  }

  /** In the order of the batch, statement by statement. */
  async #storePlain(placed: readonly Placed[], results: Results): Promise<void> {
    const stopped = new StoppedKeys();
    for (const chunk of chunksOf(placed, this.#context.statementBytes)) {
      await this.#storeChunk(chunk, stopped, results);
    }
  }

  async #storeChunk(chunk: readonly Placed[], stopped: StoppedKeys, results: Results): Promise<void> {
    const open = chunk.filter((entry) => {
      if (stopped.has(entry.send)) results[entry.at] = overtaking(entry.send);
      return !stopped.has(entry.send);
    });
    if (open.length === 0) return;
    try {
      await this.#replacing(open, results, (current) => this.#insert(current, results));
    } catch (error) {
      const { outcomeUnknown, retryable } = classifyMysql(error);
      if (open.length > 1 && !outcomeUnknown && !retryable) {
        // One that the server does not take must not take the others along.
        for (const entry of open) await this.#storeChunk([entry], stopped, results);
        return;
      }
      this.#fail(open, results, error);
    }
    for (const { at, send } of open) if (results[at]?.status === 'failed') stopped.add(send);
  }

  async #insert(placed: readonly Placed[], results: Results): Promise<void> {
    const { senders, statements, statementBytes } = this.#context;
    const rows = placed.reduce((sum, entry) => sum + groupsOf(entry).length, 0);
    const [only] = placed;
    // What nobody accepts is discarded only if that is still so: a group that was declared meanwhile gets it.
    if (rows === 0) await senders.run((link) => checkVersions(link, statements.versions, placed));
    else if (only !== undefined) {
      if (rows === 1 && placed.length === 1 && only.placement.kind === 'groups') {
        await senders.run((link) => insertOne(link, statements, only));
      } else if (
        isOneStatement(placed, statementBytes) &&
        placed.every(({ placement }) => placement.kind === 'groups')
      ) {
        // One statement inserts, so it is a transaction by itself; the look before it may see less than it, never more.
        await senders.run(async (link) => {
          const nowMs = await checkVersions(link, statements.versions, placed);
          await insertAll(link, this.#context, placed, nowMs);
        });
      } else {
        await senders.transact(async (link) => {
          const nowMs = await checkVersions(link, statements.versions, placed);
          await insertAll(link, this.#context, placed, nowMs);
        });
      }
    }
    this.#tell(placed);
    for (const entry of placed) results[entry.at] = storedAs(entry);
  }

  /** In one transaction. Rejects where it is undone; without `wait`, also where it would have to wait for a key (`isKeyBusy`). */
  #storeKeyed(placed: readonly Placed[], results: Results, wait: boolean): Promise<void> {
    const { senders, statements, statementBytes } = this.#context;
    return this.#replacing(placed, results, async (current) => {
      const { open, decided } = await senders.transact(async (link) => {
        const nowMs = await checkVersions(link, statements.versions, current);
        const decided = await takeKeys(link, statements, current, { wait });
        const open = current.filter((entry) => !decided.has(entry));
        for (const chunk of chunksOf(open, statementBytes)) await insertAll(link, this.#context, chunk, nowMs);
        return { open, decided };
      });
      this.#tell(open);
      for (const entry of current) results[entry.at] = decided.get(entry) ?? storedAs(entry);
    });
  }

  /** Runs `store` on these entries, placed anew for as long as the groups have changed meanwhile; what nobody takes then is refused. */
  async #replacing(
    placed: readonly Placed[],
    results: Results,
    store: (placed: readonly Placed[]) => Promise<void>,
  ): Promise<void> {
    let current = placed;
    for (let look = 1; ; look++) {
      try {
        return await store(current);
      } catch (error) {
        if (!(error instanceof StaleCatalogue) || look >= mostLooks) throw error;
      }
      const topics = await this.#context.catalogue.refresh();
      const before = current;
      const sends = before.map(({ send }) => send);
      const anew = batchOf(sends, topics, () => undefined);
      for (const [index, result] of anew.results.entries()) {
        if (result !== undefined) results[(before[index] as Placed).at] = result;
      }
      current = anew.placed.map((entry) => ({ ...entry, at: (before[entry.at] as Placed).at }));
    }
  }

  #tell(placed: readonly Placed[]): void {
    const arrivals: Arrivals = placed.flatMap((entry) =>
      entry.placement.kind === 'dead'
        ? []
        : groupsOf(entry).map(({ id }) => ({ box: id, inMs: Math.max(0, entry.send.delayMs) })),
    );
    tellArrivals(this.#context.wakes, arrivals);
  }
}

/**
 * Those without idempotency keys; and each that has one, with what must not overtake it or be overtaken: the others of its
 * key of order.
 */
function byKeys(all: readonly Placed[]): {
  readonly plain: readonly Placed[];
  readonly keyed: readonly (readonly Placed[])[];
} {
  if (all.every(({ send }) => send.dedup === null)) return { plain: all, keyed: [] };
  const lines = new Map<unknown, Placed[]>();
  for (const entry of all) {
    const { key, topic } = entry.send.message;
    const line = key === null ? entry : `${topic}\0${key}`;
    const before = lines.get(line);
    if (before === undefined) lines.set(line, [entry]);
    else before.push(entry);
  }
  const [plain, keyed]: [Placed[], Placed[][]] = [[], []];
  for (const line of lines.values()) {
    if (line.some(({ send }) => send.dedup !== null)) keyed.push(line);
    else plain.push(...line);
  }
  return { plain, keyed };
}
