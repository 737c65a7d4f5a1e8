import { noGroup } from '../driver.js';
import type { KnownGroup } from './catalogue.js';
import { type Claimed, claim } from './claim.js';
import type { Context } from './context.js';
import { Hold } from './hold.js';
import { Intake, type Waiter } from './intake.js';
import type { Link, Row } from './link.js';

/** The most that one claim takes: a transaction that locks more rows than this holds others up. */
const mostPerClaim = 1_000;

/** What somebody had locked is looked at again by then, not at once: a stranger's transaction may take its time. */
const passedAgainMs = 10;

/** How long a claim's finding nothing is believed: the probes come about as often. */
const believeEmptyMs = 60;

/**
 * Claims for the whole process, on one connection, group after group: batch size decides what a claim costs (1 → 100 is 11 to
 * 31 times), more claimers hardly anything (at most 3 times).
 */
export class Claimer {
  readonly #context: Context;
  readonly #nextToken: () => Promise<number>;
  readonly #intakes = new Map<number, Intake>();
  readonly #ready = new Set<Intake>();
  /** Claims whose answer was lost: what they took is nobody's. */
  readonly #forsaken: { readonly box: number; readonly token: number }[] = [];
  #paused: ReadonlySet<number> = new Set();
  #running: Promise<void> | null = null;
  #closed = false;

  constructor(context: Context, nextToken: () => Promise<number>) {
    this.#context = context;
    this.#nextToken = nextToken;
  }

  /** Called when somebody begins to wait. */
  onWaiting: () => void = () => {};

  /** Groups for which somebody waits. */
  get waiting(): readonly Intake[] {
    return [...this.#intakes.values()].filter(({ waiting }) => waiting > 0);
  }

  /** Has the waiter served by this or a later claim. */
  wait(group: KnownGroup, waiter: Waiter): Intake {
    const intake = this.#intakeOf(group);
    intake.add(waiter);
    if (waiter.once || !intake.wasEmpty(believeEmptyMs)) this.#claimSoon(intake);
    this.onWaiting();
    return intake;
  }

  /** No longer; what a claim takes for it all the same goes back. */
  leave(intake: Intake, waiter: Waiter): void {
    intake.remove(waiter);
  }

  /** These boxes are paused, and no others: nothing of them is handed out, not even what a claim under way brings. */
  pause(boxes: ReadonlySet<number>): void {
    const before = this.#paused;
    this.#paused = boxes;
    for (const box of before) if (!boxes.has(box)) this.wake(box, 0);
  }

  isPaused(box: number): boolean {
    return this.#paused.has(box);
  }

  /** Something can be claimed from the box in `inMs`, as far as anybody knows. */
  wake(box: number, inMs: number): void {
    const intake = this.#intakes.get(box);
    if (intake === undefined || this.#paused.has(box)) return;
    if (inMs > 0) {
      intake.alarm(inMs);
      return;
    }
    intake.filled();
    if (intake.waiting > 0) this.#claimSoon(intake);
  }

  /** The group of a box has gone. */
  gone(box: number): void {
    const intake = this.#intakes.get(box);
    if (intake === undefined) return;
    this.#intakes.delete(box);
    const { topic, name } = intake.group;
    this.#failAll(intake, noGroup(topic.name, name));
  }

  /** Whether something that a claim took is nobody's until others see that this process has gone, or its lease ends. */
  get hasForsaken(): boolean {
    return this.#forsaken.length > 0;
  }

  /** Nothing more is claimed. Resolves when nothing is under way, and what was forsaken has been given back if that could be. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const intake of this.#intakes.values()) {
      intake.close();
      for (const waiter of intake.waiters) {
        intake.remove(waiter);
        waiter.answer([]);
      }
    }
    await this.#running;
    if (this.hasForsaken) await this.#giveBackForsaken().catch(() => {});
  }

  #intakeOf(group: KnownGroup): Intake {
    const known = this.#intakes.get(group.id);
    if (known !== undefined) return known;
    const intake = new Intake(group, (due) => this.wake(due.group.id, 0));
    this.#intakes.set(group.id, intake);
    return intake;
  }

  #claimSoon(intake: Intake): void {
    if (this.#closed) return;
    this.#ready.add(intake);
    this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    // After this turn: readers that ask in one turn are served by one claim.
    await Promise.resolve();
    for (const intake of this.#ready) {
      this.#ready.delete(intake);
      if (intake.waiting > 0 && !this.#closed) await this.#serve(intake);
    }
    this.#running = null;
  }

  async #serve(intake: Intake): Promise<void> {
    const { group, wanted, waiters } = intake;
    intake.stirred = false;
    const most = Math.min(wanted, mostPerClaim);
    try {
      const token = await this.#nextToken();
      const claimed = await this.#claim(intake, most, token);
      if (claimed === null) return this.gone(group.id);
      const { rows, crowded, passed } = claimed;
      this.#handOut(intake, rows, token, waiters);
      const goesFurther = intake.crowded(crowded) || (crowded && rows.length > 0);
      if (rows.length >= most || goesFurther || intake.stirred) {
        if (intake.waiting > 0) this.#claimSoon(intake);
        return;
      }
      intake.emptied();
      if (passed) intake.alarm(passedAgainMs);
    } catch (error) {
      this.#failAll(intake, error);
    }
  }

  async #claim({ group, reach }: Intake, most: number, token: number): Promise<Claimed | null> {
    const { claiming, statements, leaseMs } = this.#context;
    let tried = false;
    try {
      const claimed = await claiming.transact(async (link) => {
        await this.#forsake(link);
        tried = true;
        return claim(link, statements, { group, most, reach, token, leaseMs });
      });
      this.#forsaken.length = 0;
      return claimed;
    } catch (error) {
      if (tried) this.#forsaken.push({ box: group.id, token });
      throw error;
    }
  }

  async #giveBackForsaken(): Promise<void> {
    const { claiming, wakes } = this.#context;
    await claiming.transact((link) => this.#forsake(link));
    for (const { box } of this.#forsaken.splice(0)) wakes.tell([box], 0);
  }

  async #forsake(link: Link): Promise<void> {
    const { forsakeClaim } = this.#context.statements;
    for (const { box, token } of this.#forsaken) await link.write(forsakeClaim, [box, token]);
  }

  /** `asked`: those who waited when the claim began. Whoever waits is served, only these are told that there was nothing. */
  #handOut(intake: Intake, rows: readonly Row[], token: number, asked: readonly Waiter[]): void {
    let next = 0;
    const free = this.#paused.has(intake.group.id) ? [] : rows;
    for (const waiter of intake.waiters) {
      const share = free.slice(next, next + waiter.max);
      if (share.length === 0 && !(waiter.once && asked.includes(waiter))) continue;
      next += share.length;
      intake.remove(waiter);
      waiter.answer(share.map((row) => ({ row, hold: new Hold(Number(row.id), token, intake.group) })));
    }
    const left = rows.slice(next).map(({ id }) => Number(id));
    if (left.length > 0) void this.#putBack(intake.group, token, left);
  }

  /** Who asked for it has gone meanwhile: it was never handed out. If even this fails, the lease ends. */
  async #putBack(group: KnownGroup, token: number, ids: readonly number[]): Promise<void> {
    const { senders, statements, wakes, logger } = this.#context;
    try {
      await senders.run((link) => link.write(`${statements.giveBack}id in (?) and claim_token = ?`, [1, ids, token]));
      wakes.tell([group.id], 0);
    } catch (cause) {
      logger.warn(
        { group: group.name, messages: ids.length, cause },
        'messages that nobody waits for any more come again when their lease ends',
      );
    }
  }

  #failAll(intake: Intake, error: unknown): void {
    for (const waiter of intake.waiters) {
      intake.remove(waiter);
      waiter.fail(error);
    }
  }
}
