import { Refusal, type Settlement, type SettleResult } from '../driver.js';
import type { Arrivals } from './arrivals.js';
import { batchOf, groupsOf, type Placed } from './batch.js';
import type { Context } from './context.js';
import { claimsOf, type Hold } from './hold.js';
import { takeKeys } from './idempotency.js';
import { checkVersions, chunksOf, insertAll, wholeDelay } from './insert.js';
import type { Link } from './link.js';
import { held } from './statements.js';

/** A settlement with the hold that its receipt is. */
export interface Ending {
  readonly hold: Hold;
  readonly settlement: Settlement;
}

export interface Settled {
  readonly results: ReadonlyMap<Ending, SettleResult>;
  /** What can be claimed once this is committed. */
  readonly arrivals: Arrivals;
}

/** Not all of them were ours any more: find out which. */
export class SomeLost extends Error {
  override readonly name = 'SomeLost';
}

const done: SettleResult = Object.freeze({ status: 'done' });
const lost: SettleResult = Object.freeze({ status: 'lost' });

export function isPlainAck({ settlement }: Ending): boolean {
  return settlement.kind === 'ack' && settlement.outbox.length === 0;
}

/** One delete for all. Throws `SomeLost`, and must then be rolled back, unless every one of them was ours. */
export async function ackAll(link: Link, { statements }: Context, endings: readonly Ending[]): Promise<Settled> {
  const where = held(claimsOf(endings.map(({ hold }) => hold)));
  const { affectedRows } = await link.write(statements.ack + where.sql, where.values);
  if (affectedRows < endings.length) throw new SomeLost();
  return { results: new Map(endings.map((ending) => [ending, done])), arrivals: [] };
}

/** A single one needs no transaction: the row was ours and is gone, or nothing was changed. */
export async function ackOne(link: Link, { statements }: Context, ending: Ending): Promise<Settled> {
  const where = held(claimsOf([ending.hold]));
  const { affectedRows } = await link.write(statements.ack + where.sql, where.values);
  return { results: new Map([[ending, affectedRows === 1 ? done : lost]]), arrivals: [] };
}

/**
 * Any settlements, in one transaction: locks the rows that are still ours, then ends those. Throws `StaleCatalogue` when the
 * groups that an outbox goes to have changed. Rows that somebody else has locked are waited for, or
 * their settlements fail with a `conflict` refusal, and nothing of theirs is changed.
 */
export async function settleAll(
  link: Link,
  context: Context,
  endings: readonly Ending[],
  { waits }: { readonly waits: boolean },
): Promise<Settled> {
  const { statements, catalogue } = context;
  const where = held(claimsOf(endings.map(({ hold }) => hold)));
  const idsOf = async (lock: string): Promise<ReadonlySet<number>> =>
    new Set((await link.rows(statements.live + where.sql + lock, where.values)).map(({ id }) => Number(id)));
  const live = await idsOf(waits ? statements.forUpdate : statements.unlocked);
  const stillOurs = waits ? live : await idsOf('');
  const results = new Map<Ending, SettleResult>();
  const outbox: Placed[] = [];
  for (const ending of endings) {
    if (!live.has(ending.hold.id)) {
      results.set(ending, stillOurs.has(ending.hold.id) ? lockedOut() : lost);
    } else {
      const batch = batchOf(outboxOf(ending), catalogue.topics, () => undefined);
      const refused = batch.results.find((result) => result?.status === 'failed');
      results.set(ending, refused?.status === 'failed' ? refused : done);
      if (refused === undefined) outbox.push(...batch.placed);
    }
  }
  const ended = endings.filter((ending) => results.get(ending) === done);
  const of = <Kind extends Settlement['kind']>(kind: Kind) =>
    ended.flatMap(({ hold, settlement }) =>
      settlement.kind === kind ? [{ hold, settlement: settlement as Extract<Settlement, { kind: Kind }> }] : [],
    );
  const acks = of('ack').map(({ hold }) => hold.id);
  const givenBack = of('give-back').map(({ hold }) => hold.id);
  const releases = of('release');
  if (acks.length > 0) await link.write(statements.deleteRows, [acks]);
  if (givenBack.length > 0) await link.write(`${statements.giveBack}id in (?)`, [1, givenBack]);
  if (releases.length > 0) {
    const values = releases.flatMap(({ hold, settlement: { delayMs, counts } }) => [
      hold.id,
      wholeDelay(delayMs),
      counts.attempt,
      counts.postpones,
      counts.firstFailedAt,
    ]);
    await link.write(statements.release(releases.length), values);
  }
  const stored = await storeOutbox(link, context, outbox);
  const arrivals = [
    ...of('give-back').map(({ hold }) => ({ box: hold.group.id, inMs: 0 })),
    ...releases.map(({ hold, settlement }) => ({ box: hold.group.id, inMs: wholeDelay(settlement.delayMs) })),
    ...stored.flatMap((entry) =>
      entry.placement.kind === 'dead'
        ? []
        : groupsOf(entry).map(({ id }) => ({ box: id, inMs: wholeDelay(entry.send.delayMs) })),
    ),
  ];
  return { results, arrivals };
}

function lockedOut(): SettleResult {
  const remedy = 'see who holds it: it is settled when that transaction has ended';
  return { status: 'failed', error: new Refusal('conflict', 'somebody else has locked the message', remedy) };
}

/** Answers what was stored: not what an idempotency key says is there already. */
async function storeOutbox(link: Link, context: Context, outbox: readonly Placed[]): Promise<readonly Placed[]> {
  const { statements, statementBytes } = context;
  if (outbox.length === 0) return [];
  const nowMs = await checkVersions(link, statements.versions, outbox);
  const decided = await takeKeys(link, statements, outbox);
  const open = outbox.filter((entry) => !decided.has(entry));
  for (const chunk of chunksOf(open, statementBytes)) await insertAll(link, context, chunk, nowMs);
  return open;
}

function outboxOf({ settlement }: Ending) {
  return settlement.kind === 'ack' ? settlement.outbox : [];
}
