import { randomUUID } from 'node:crypto';
import { type DriverHost, sleep, systemClock } from '../driver.js';
import { tokensOf } from './claim-token.js';
import type { Context } from './context.js';
import type { Link, OwnLink, Row } from './link.js';
import type { Session } from './session.js';
import { bytes, now, text } from './sql-values.js';

/** How often the locks of the others are looked at. Two looks must find one free: whoever only lost a connection has taken it again by then. */
const lookEveryMs = 600;
const looksUntilDead = 2;

/** Two readings of when a server started, by its uptime in whole seconds. */
const sameStartWithinS = 5;

const longestBackoffMs = 2_000;

/**
 * Says that this process lives, and frees what dead ones held: each has a row with an id, which its claims' tokens begin with,
 * and keeps a named lock on a connection of its own, which the server lets go the moment the connection is gone. A free lock only
 * shortens what the leases of the rows do anyhow: after a restart of the server, where every lock looks free, they alone count.
 *
 * This connection is also the one by which the driver knows whether it is connected.
 */
export class Life {
  readonly #context: Context;
  readonly #session: Session;
  readonly #host: DriverHost;
  readonly #lockName = bytes(`signalbox ${randomUUID()}`);
  readonly #stopping = new AbortController();
  readonly #free = new Map<number, number>();
  #holder: number | null = null;
  #claims = 0;
  #startedAtS = 0;
  /** What the row says of pauses. */
  #heeded: string | null = null;
  #connected = false;
  #registering: Promise<number> | null = null;
  #living: Promise<void> | null = null;

  constructor(context: Context, session: Session, host: DriverHost) {
    this.#context = context;
    this.#session = session;
    this.#host = host;
    session.onLost = (cause) => this.#lost(cause);
  }

  /** Whether anything can be claimed in this process's name. */
  get isHolder(): boolean {
    return this.#holder !== null;
  }

  /** Called about as often as the others are looked at. */
  onLook: () => Promise<void> = async () => {};

  get connected(): boolean {
    return this.#connected;
  }

  /** Rejects when the database cannot be reached. */
  async begin(): Promise<void> {
    await this.#session.run((link) => this.#settleIn(link));
    this.#connected = true;
    this.#living = this.#live();
  }

  /** Has a name to claim by, before the first claim needs it. */
  async ready(): Promise<void> {
    if (this.#holder === null) await this.#register();
  }

  /** A token that no other claim has. */
  async nextToken(): Promise<number> {
    const holder = this.#holder ?? (await this.#register());
    this.#claims++;
    return tokensOf(holder).nth(this.#claims);
  }

  /** Writes down which pauses this process heeds, for whoever waits for that. */
  async heed(tokens: string): Promise<void> {
    if (this.#holder === null || this.#heeded === tokens) return;
    await this.#session.run(async (link) => {
      await link.write(`update ${this.#context.tables.holders} set heeded = ? where id = ?`, [
        bytes(tokens),
        this.#holder as number,
      ]);
    });
    this.#heeded = tokens;
  }

  /** `holdsNothing`: all that it held has been given back. Otherwise the holder's row stays, for others to find the lock free and free it. */
  async end(holdsNothing: boolean): Promise<void> {
    this.#stopping.abort();
    await this.#living;
    const holder = this.#holder;
    if (holder !== null && holdsNothing && this.#connected) {
      await this.#session
        .run((link) => link.write(`delete from ${this.#context.tables.holders} where id = ?`, [holder]))
        // Others find the lock free, and the row with nothing behind it.
        .catch(() => {});
    }
    this.#connected = false;
    await this.#session.close();
  }

  #lost(cause: unknown): void {
    if (!this.#connected || this.#stopping.signal.aborted) return;
    this.#connected = false;
    this.#host.emit({ type: 'disconnected', cause });
  }

  async #live(): Promise<void> {
    let failures = 0;
    while (!this.#stopping.signal.aborted) {
      try {
        if (!this.#connected) await this.#reconnect(failures);
        else {
          await this.#session.run((link) => this.#look(link));
          await this.onLook();
        }
        failures = 0;
      } catch (cause) {
        failures++;
        if (this.#connected)
          this.#context.logger.warn({ cause }, 'looking for processes that died failed; trying again');
        await sleep(systemClock, backoffMs(failures), this.#stopping.signal);
        continue;
      }
      if (this.#connected) await this.#sleepConnected();
    }
  }

  /** Ends early when the connection is lost: then there is something to do at once. */
  async #sleepConnected(): Promise<void> {
    const woken = new AbortController();
    const lost = this.#session.onLost;
    this.#session.onLost = (cause) => {
      lost(cause);
      woken.abort();
    };
    await sleep(systemClock, lookEveryMs, AbortSignal.any([woken.signal, this.#stopping.signal]));
    this.#session.onLost = lost;
  }

  async #reconnect(failures: number): Promise<void> {
    this.#host.emit({ type: 'reconnecting', attempt: failures + 1, delayMs: failures === 0 ? 0 : backoffMs(failures) });
    await this.#session.run((link) => this.#settleIn(link));
    if (this.#stopping.signal.aborted) return;
    this.#connected = true;
    this.#host.emit({ type: 'connected' });
  }

  /** On a new connection: the lock again, under the name that others look at. */
  async #settleIn(link: OwnLink): Promise<void> {
    await this.#takeLock(link);
    const [uptime] = await link.rows("show global status like 'Uptime'");
    const [clock] = await link.rows(`select ${now} div 1000 as now_s`);
    this.#startedAtS = Number(clock?.now_s) - Number(uptime?.Value);
    if (this.#holder === null) return;
    const { affectedRows } = await link.write(
      `update ${this.#context.tables.holders} set server_started_at = ? where id = ?`,
      [this.#startedAtS, this.#holder],
    );
    const [row] =
      affectedRows > 0
        ? [true]
        : await link.rows(`select id from ${this.#context.tables.holders} where id = ?`, [this.#holder]);
    if (row === undefined) this.#holder = null;
  }

  /** May not be given while the server has not noticed that the connection before is gone: then that one still says that we live. */
  async #takeLock(link: Link): Promise<void> {
    await link.rows('select get_lock(?, 0)', [this.#lockName]);
  }

  #register(): Promise<number> {
    this.#registering ??= this.#session
      .run(async (link) => {
        // The connection may be newer than the last look at it.
        await this.#takeLock(link);
        const { insertId } = await link.write(
          `insert into ${this.#context.tables.holders} (lock_name, server_started_at) values (?, ?)`,
          [this.#lockName, this.#startedAtS],
        );
        this.#holder = insertId;
        this.#heeded = null;
        return insertId;
      })
      .finally(() => {
        this.#registering = null;
      });
    return this.#registering;
  }

  async #look(link: OwnLink): Promise<void> {
    const { holders } = this.#context.tables;
    const rows = await link.rows(
      `select id, lock_name, server_started_at, is_free_lock(lock_name) as is_free, ${now} div 1000 as now_s from ${holders}`,
    );
    const mine = rows.find(({ id }) => Number(id) === this.#holder);
    // Somebody took us for dead: what we held is with others, and what we claim from now on needs another name.
    if (mine === undefined) this.#holder = null;
    else if (Number(mine.is_free) === 1) await this.#takeLock(link);
    for (const id of this.#free.keys()) if (!rows.some((row) => Number(row.id) === id)) this.#free.delete(id);
    for (const row of rows) if (row !== mine) await this.#judge(link, row);
  }

  async #judge(link: OwnLink, row: Row): Promise<void> {
    const id = Number(row.id);
    if (Number(row.is_free) !== 1 || !this.#mayBeDead(row)) {
      this.#free.delete(id);
      return;
    }
    const looks = (this.#free.get(id) ?? 0) + 1;
    this.#free.set(id, looks);
    if (looks < looksUntilDead) return;
    this.#free.delete(id);
    await this.#freeHolder(link, id, text(row.lock_name));
  }

  /** The lock says so only if it was taken since the server started; else whatever its leases kept is over after that time. */
  #mayBeDead(row: Row): boolean {
    const sameStart = Math.abs(Number(row.server_started_at) - this.#startedAtS) <= sameStartWithinS;
    return sameStart || Number(row.now_s) - this.#startedAtS > (2 * this.#context.leaseMs) / 1_000;
  }

  async #freeHolder(link: OwnLink, id: number, lockName: string): Promise<void> {
    const { tables, statements, wakes, logger } = this.#context;
    const boxes = (await link.rows(`select id from ${tables.groups}`)).map((row) => Number(row.id));
    await link.write('begin');
    try {
      const [still] = await link.rows(
        `select id from ${tables.holders} where id = ? and is_free_lock(?) = 1 for update`,
        [id, bytes(lockName)],
      );
      const { first, last } = tokensOf(id);
      let freed = 0;
      if (still !== undefined) {
        if (boxes.length > 0) freed = (await link.write(statements.freeHolder, [boxes, first, last])).affectedRows;
        await link.write(`delete from ${tables.holders} where id = ?`, [id]);
      }
      await link.write('commit');
      if (freed > 0) logger.info({ holder: id, messages: freed }, 'freed what a process that is gone had in hand');
      if (freed > 0) wakes.tell(boxes, 0);
    } catch (error) {
      if (link.alive) await link.write('rollback').catch((cause: unknown) => link.destroy(cause));
      throw error;
    }
  }
}

function backoffMs(failures: number): number {
  return Math.min(longestBackoffMs, 50 * 2 ** failures) * (0.8 + 0.4 * Math.random());
}
