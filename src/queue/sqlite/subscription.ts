import type { SqliteRow } from '../../sql/sqlite-connection.js';
import { ask, type Steps } from '../../sql/sqlite-steps.js';
import {
  type DriverLease,
  type DriverSubscription,
  type Receipt as OpaqueReceipt,
  type Received,
  Refusal,
  type Settlement,
  type SettleResult,
  type SubscribeOptions,
} from '../driver.js';
import { ackTogether } from './ack-together.js';
import type { Catalogue } from './catalogue.js';
import { anythingDue, type Claimed, claim, nextAlarm } from './claiming.js';
import type { Client } from './client.js';
import type { Presence } from './presence.js';
import { leavingMs } from './queue-file.js';
import { Receipt } from './receipt.js';
import { countsOf, readMessage } from './rows.js';
import { extend, putBack, settle } from './settling.js';

interface ReaderOptions extends SubscribeOptions {
  readonly presence: Presence;
}

/** See `DriverSubscription`. Goes on when its group is removed and added again. */
export class SqliteSubscription implements DriverSubscription {
  readonly lease: DriverLease;
  readonly #client: Client;
  readonly #options: ReaderOptions;
  readonly #onClosed: (subscription: SqliteSubscription) => void;
  readonly #closing = new AbortController();
  readonly #held = new Set<Receipt>();
  #claiming: Promise<unknown> = Promise.resolve();
  #closed: Promise<void> | null = null;
  #paused = false;
  #heededVersion = -1;

  constructor(client: Client, options: ReaderOptions, onClosed: (subscription: SqliteSubscription) => void) {
    this.#client = client;
    this.#options = options;
    this.#onClosed = onClosed;
    this.lease = { ms: client.leaseMs, extend: (receipts, ms) => this.#extend(receipts, ms) };
  }

  receive(max: number, waitMs: number, signal: AbortSignal): Promise<readonly Received[]> {
    return this.#client.run(async () => {
      this.#check();
      const { file, clock } = this.#client;
      const ended = AbortSignal.any([signal, this.#closing.signal]);
      const giveUpAt = clock.now() + waitMs;
      for (;;) {
        if (ended.aborted) return [];
        const { rings } = file.bell;
        const received = await this.#take(max, ended);
        if (received.length > 0 || ended.aborted || clock.now() >= giveUpAt) return received;
        await this.#news(rings, giveUpAt, ended);
        this.#client.check();
      }
    });
  }

  settle(batch: readonly Settlement[]): Promise<readonly SettleResult[]> {
    return this.#client.run(async () => {
      this.#check();
      const { file } = this.#client;
      const results = await file.write((catalogue) => settleAll(batch, catalogue, this.#client.now()));
      for (const [index, { receipt }] of batch.entries()) {
        if (results[index]?.status !== 'failed') this.#held.delete(receipt as Receipt);
      }
      return results;
    });
  }

  close(): Promise<void> {
    return this.#client.isKilled ? this.#client.run(() => {}) : this.leave();
  }

  /** Stops reading; what is held goes back. */
  leave(): Promise<void> {
    this.#closed ??= this.#leave();
    return this.#closed;
  }

  /** Tells its reader whether its group is paused, if that is news. */
  heed(catalogue: Catalogue): void {
    const { topic, group, onPaused } = this.#options;
    const known = catalogue.find(topic)?.groups.find(({ name }) => name === group);
    const paused = known !== undefined && known.paused !== null;
    // Two looks at the file need not be told in their order.
    if (catalogue.version < this.#heededVersion) return;
    this.#heededVersion = catalogue.version;
    if (paused === this.#paused || this.#closed !== null) return;
    this.#paused = paused;
    onPaused?.(paused);
  }

  /** As its process's end: nothing is given back, nothing written. */
  forget(): void {
    this.#closed ??= Promise.resolve();
    this.#closing.abort();
  }

  async #leave(): Promise<void> {
    this.#closing.abort();
    await this.#claiming;
    const held = [...this.#held];
    this.#held.clear();
    this.#onClosed(this);
    if (held.length === 0) return;
    const putAllBack = function* (catalogue: Catalogue): Steps<void> {
      for (const receipt of held) if (catalogue.has(receipt.groupId)) yield* putBack(receipt);
    };
    // Where the file is locked, or full, what was held comes back when its lease ends, or when this driver is closed.
    await this.#client.file.write(putAllBack, { patienceMs: leavingMs }).catch(() => {});
  }

  async #take(max: number, ended: AbortSignal): Promise<readonly Received[]> {
    const client = this.#client;
    const { file, leaseMs } = client;
    const due = await this.#look(anythingDue, client.now());
    if (due.length === 0 || ended.aborted) return [];
    const { topic, group, presence } = this.#options;
    const claimUpTo = function* (catalogue: Catalogue): Steps<Claimed | null> {
      const { ordering } = catalogue.topic(topic);
      const { groupId, paused } = catalogue.group(topic, group);
      // What ended the reader may have come while the lock was waited for.
      if (ended.aborted || client.isKilled || paused !== null) return null;
      yield* presence.enter(catalogue);
      const { holderId } = presence;
      return yield* claim({ groupId, ordered: ordering === 'key', max, holderId, leaseMs }, client.now());
    };
    // Not durable: a claim that is gone with the power gives back what it took, which comes again anyhow.
    const claiming = file.write(claimUpTo, { durable: false, signal: ended }).then((claimed) => {
      if (claimed === null) return [];
      presence.entered();
      return claimed.rows.map((row) => this.#handedOut(row, claimed));
    });
    this.#claiming = claiming.catch(() => {});
    return claiming.catch((error: unknown) => {
      if (ended.aborted) return [];
      throw error;
    });
  }

  #handedOut(row: SqliteRow, { token, groupId }: Claimed): Received {
    const { message, fault } = readMessage(row, this.#options.topic);
    const receipt = new Receipt(Number(row.row_id), token, groupId, message.key);
    this.#held.add(receipt);
    return { receipt, message, counts: countsOf(row), redeliveries: Number(row.hand_outs), fault };
  }

  /** Waits until something may be there: somebody wrote, a delay or a lease ends, or the time is up. */
  async #news(rings: number, giveUpAt: number, ended: AbortSignal): Promise<void> {
    const { file, clock } = this.#client;
    const [alarm] = await this.#look(nextAlarm);
    if (ended.aborted) return;
    const times = [alarm?.due_at, alarm?.lease_ends_at, alarm?.range_ends_at, giveUpAt].filter(
      (at) => typeof at === 'number',
    );
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        cancelAlarm();
        stopListening();
        ended.removeEventListener('abort', wake);
        resolve();
      };
      const cancelAlarm = clock.schedule(wake, Math.min(...times) - clock.now());
      let stopListening = (): void => {};
      ended.addEventListener('abort', wake, { once: true });
      stopListening = file.bell.wait(rings, wake);
    });
  }

  /** Asks of the group without a lock; of a paused one nothing comes, whatever falls due. Rejects with a `not-found` refusal while the topic or the group is gone. */
  #look(sql: string, ...parameters: readonly number[]): Promise<readonly SqliteRow[]> {
    const { topic, group } = this.#options;
    return this.#client.file.read(function* (catalogue) {
      const { groupId, paused } = catalogue.group(topic, group);
      return paused === null ? yield* ask(sql, groupId, ...parameters) : [];
    });
  }

  #extend(receipts: readonly OpaqueReceipt[], ms: number): Promise<readonly ('done' | 'lost')[]> {
    return this.#client.run(() => {
      this.#check();
      const client = this.#client;
      return client.file.write((catalogue) => extendAll(receipts, catalogue, ms, client.now()));
    });
  }

  #check(): void {
    if (this.#closed === null) return;
    throw new Refusal('closed', `subscription "${this.#options.consumer}" is closed`, 'subscribe again');
  }
}

function* settleAll(batch: readonly Settlement[], catalogue: Catalogue, now: number): Steps<readonly SettleResult[]> {
  const acked = yield* ackTogether(batch, catalogue, now);
  const results: SettleResult[] = [];
  for (const settlement of batch) results.push(acked.get(settlement) ?? (yield* settle(settlement, catalogue, now)));
  return results;
}

function* extendAll(
  receipts: readonly OpaqueReceipt[],
  catalogue: Catalogue,
  ms: number,
  now: number,
): Steps<readonly ('done' | 'lost')[]> {
  const rowsOf = new Map<number, number[]>();
  for (const receipt of receipts) {
    if (!(receipt instanceof Receipt) || !catalogue.has(receipt.groupId)) continue;
    const rowIds = rowsOf.get(receipt.token);
    if (rowIds === undefined) rowsOf.set(receipt.token, [receipt.rowId]);
    else rowIds.push(receipt.rowId);
  }
  const extended = new Map<number, ReadonlySet<number>>();
  for (const [token, rowIds] of rowsOf) extended.set(token, yield* extend(token, rowIds, now + ms, now));
  return receipts.map((receipt) =>
    receipt instanceof Receipt && extended.get(receipt.token)?.has(receipt.rowId) ? 'done' : 'lost',
  );
}
