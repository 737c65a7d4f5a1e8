import type { Waiting } from '../driver.js';
import type { KnownGroup } from './catalogue.js';
import type { Context } from './context.js';
import type { Row } from './link.js';
import { countsOf, messageColumns, messageOf } from './message-row.js';
import { now } from './sql-values.js';
import { stage } from './stage.js';

/** See `DriverAdmin.drain`. What a lease that is over had is taken back first, so that it is not taken for in hand. */
export async function drain(
  { senders, statements, tables }: Context,
  { id: box, topic }: KnownGroup,
  max: number,
  keep: (waiting: readonly Waiting[]) => Promise<void>,
): Promise<number> {
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
  const rows = merged(line, byTime).slice(0, max);
  if (rows.length === 0) return 0;
  await keep(
    rows.map((row) => ({
      message: messageOf(topic.name, row),
      counts: countsOf(row),
      delayMs: Number(row.delay_ms),
    })),
  );
  await senders.run((link) =>
    link.write(`delete from ${tables.messages} where id in (?) and stage in (${stage.waiting}, ${stage.line})`, [
      rows.map(({ id }) => Number(id)),
    ]),
  );
  return rows.length;
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
