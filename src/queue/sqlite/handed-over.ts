import type { SqliteRow, SqliteValue } from '../../sql/sqlite-connection.js';
import { ask, type Steps } from '../../sql/sqlite-steps.js';

/**
 * Texts and whole numbers, which go through JSON and come back as they are. As one text, since libsql takes 0.3 us for each column of a row that it
 * hands over: a message took 2.6 us instead of 3.9. Bodies are no text, and SQLite writes 15 digits of a number with a fraction, which may have 17.
 */
const toldColumns = [
  'row_id',
  'hand_outs',
  'attempt',
  'postpones',
  'message_id',
  'key',
  'routing_key',
  'headers',
  'format',
] as const;
const told = toldColumns.join(', ');

/** `from` names rows of `{messages}` in an order, and is asked twice. */
export interface HandedOver {
  readonly told: string;
  readonly rest: string;
}

export function handedOver(from: string): HandedOver {
  return {
    told: `select json_group_array(json_array(${told})) as told from (select ${told} ${from})`,
    rest: `select body, published_at, first_failed_at ${from}`,
  };
}

/** What a message's receiver is told, of each row. */
export function* readRows(of: HandedOver, ...parameters: readonly SqliteValue[]): Steps<readonly SqliteRow[]> {
  const [row] = yield* ask(of.told, ...parameters);
  const all = JSON.parse(String(row?.told)) as SqliteValue[][];
  if (all.length === 0) return [];
  const rest = yield* ask(of.rest, ...parameters);
  return rest.map((columns, index) => joined(all[index] ?? [], columns));
}

function joined(told: readonly SqliteValue[], rest: SqliteRow): SqliteRow {
  const row: Record<string, SqliteValue> = {
    body: rest.body ?? null,
    published_at: rest.published_at ?? null,
    first_failed_at: rest.first_failed_at ?? null,
  };
  for (const [index, column] of toldColumns.entries()) row[column] = told[index] ?? null;
  return row;
}
