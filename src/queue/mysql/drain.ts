import type { DrainedLetter, Waiting } from '../driver.js';
import type { KnownGroup } from './catalogue.js';
import { drainToken } from './claim-token.js';
import type { Context } from './context.js';
import { deleteLetters, firstLetters } from './letters.js';
import type { Row } from './link.js';
import { countsOf, messageColumns, readMessage } from './message-row.js';
import { now } from './sql-values.js';
import { stage } from './stage.js';

/** See `DriverAdmin.drain`. What a lease that is over had is taken back first, so that it is not taken for in hand. */
export async function drain(
  context: Context,
  { id: box, topic }: KnownGroup,
  max: number,
  keep: (waiting: readonly Waiting[]) => Promise<void>,
): Promise<number> {
  const { senders, statements, tables } = context;
  const late = await senders.run((link) => link.rows(statements.late, [box]));
  if (late.length > 0) await senders.run((link) => link.write(statements.expire, [late.map(({ id }) => Number(id))]));
  /** Of one range of the index, in its order: nothing is sorted, however long it is. */
  const first = (of: number, at: string, order: string): Promise<readonly Row[]> =>
    senders.run((link) =>
      link.rows(
        `select id, ${at} as at_ms, if(${at} > ${now}, ${at} - ${now}, 0) as delay_ms, ${messageColumns.join(', ')}
         from ${tables.messages} force index (service)
         where box = ? and stage = ?
         order by ${order}
         limit ?`,
        [box, of, max],
      ),
    );
  const byTime = await first(stage.waiting, 'visible_after', 'visible_after, id');
  const line = topic.ordering === 'key' ? await first(stage.line, 'due_at', 'visible_after, id') : [];
  const chosen = merged(line, byTime).slice(0, max);
  if (chosen.length === 0) return 0;
  const tokens = await marked(context, chosen);
  const rows = chosen.filter(({ id }) => tokens.has(Number(id)));
  await keep(
    rows.map((row) => ({
      ...readMessage(topic.name, row),
      counts: countsOf(row),
      delayMs: Number(row.delay_ms),
      identity: `${tokens.get(Number(row.id))} ${row.id}`,
    })),
  );
  await senders.run((link) =>
    link.write(
      `delete m from ${tables.messages} m force index (primary)
       where id in (?) and stage in (${stage.waiting}, ${stage.line}) and claim_token in (?)`,
      [[...tokens.keys()], [...new Set(tokens.values())]],
    ),
  );
  return chosen.length;
}

/**
 * The tokens of those that still wait, by id. What waits has none; what is drained gets one, which stays until it is handed out. A
 * number alone would do on servers that keep the counter of the table, and in a table that is never made again.
 */
async function marked({ senders, tables }: Context, rows: readonly Row[]): Promise<ReadonlyMap<number, number>> {
  const ids = rows.map(({ id }) => Number(id));
  const waiting = `id in (?) and stage in (${stage.waiting}, ${stage.line})`;
  const there = `${tables.messages} force index (primary)`;
  return senders.run(async (link) => {
    await link.write(`update ${there} set claim_token = ? where ${waiting} and claim_token = 0`, [drainToken(), ids]);
    const now = await link.rows(`select id, claim_token from ${there} where ${waiting} and claim_token <> 0`, [ids]);
    return new Map(now.map((row) => [Number(row.id), Number(row.claim_token)]));
  });
}

/** See `DriverAdmin.drainLetters`. A letter's time is that of its burial, in case its number comes again. */
export async function drainLetters(
  { senders, tables }: Context,
  { id: box }: KnownGroup,
  max: number,
  keep: (letters: readonly DrainedLetter[]) => Promise<void>,
): Promise<number> {
  const letters = await senders.run((link) => firstLetters(link, tables, box, max));
  if (letters.length === 0) return 0;
  await keep(letters.map(({ letter, id }) => ({ ...letter, identity: `${letter.buriedAt} ${id}` })));
  const ids = letters.map(({ id }) => id);
  await senders.run((link) => deleteLetters(link, tables, box, ids));
  return letters.length;
}

/** The line keeps its order; what left it, or never stood in it, comes between by its time. */
function merged(line: readonly Row[], byTime: readonly Row[]): readonly Row[] {
  const all: Row[] = [];
  let next = 0;
  for (const row of line) {
    for (; next < byTime.length && Number(byTime[next]?.at_ms) <= Number(row.at_ms); next++)
      all.push(byTime[next] as Row);
    all.push(row);
  }
  return [...all, ...byTime.slice(next)];
}
