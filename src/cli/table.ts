import Table from 'cli-table3';
import type { Colors } from './colors.js';
import { type FittingColumn, fitColumns, gap } from './fit-columns.js';
import type { Output } from './io.js';
import { recordsOf, withBreaks } from './records.js';

export interface Column<Row> {
  readonly head: string;
  readonly text: (row: Row) => string;
  readonly align?: 'right';
  /**
   * What happens where the table would be wider than the terminal: lose its `start` or its `end`, with `…` in
   * its place, or go on in the next line. Default: this column keeps its width.
   */
  readonly narrow?: 'start' | 'end' | 'wrap';
  /** Left out where there is no room for all, the lowest number first. Default: never. */
  readonly expendable?: number;
  readonly paint?: (text: string, row: Row) => string;
}

/**
 * Rows under their heads, as lines that end in a line feed. On a terminal no wider than it is: columns get narrower, then the expendable
 * ones are left out, and where even that is too wide each row is a record of a field a line. Elsewhere nothing is cut, because somebody may
 * search in it.
 */
export function tableOf<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  output: Output,
  colors: Colors,
): string {
  const texts = rows.map((row) => columns.map(({ text }) => text(row)));
  // Some terminals say 0 where they do not know.
  const available = output.isTTY === true ? output.columns || null : null;
  const fitting = fitColumns(
    columns.map(({ head, narrow, expendable }, at) => ({
      natural: texts.reduce((widest, cells) => Math.max(widest, [...(cells[at] ?? '')].length), head.length),
      canNarrow: narrow !== undefined,
      expendable: expendable ?? null,
    })),
    available,
  );
  if (fitting !== null) return linesOf(fitting, columns, rows, texts, colors);
  const records = rows.map((row, index) =>
    columns.map(({ head, paint }, at) => ({
      head,
      text: texts[index]?.[at] ?? '',
      paint: (text: string) => paint?.(text, row) ?? text,
    })),
  );
  return recordsOf(records, available ?? 0, colors);
}

function linesOf<Row>(
  fitting: readonly FittingColumn[],
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  texts: readonly (readonly string[])[],
  colors: Colors,
): string {
  const shown = fitting.flatMap((place) => {
    const column = columns[place.at];
    return column === undefined ? [] : [{ ...column, ...place }];
  });
  const table = new Table({
    head: shown.map(({ head }) => colors.bold(head)),
    // Null where the text decides: cli-table3 knows the width of every character, we only count them.
    colWidths: shown.map(({ width, narrowed }) => (narrowed ? width : null)),
    colAligns: shown.map(({ align }) => align ?? 'left'),
    wordWrap: true,
    chars: noLines,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  });
  for (const [index, row] of rows.entries()) {
    table.push(
      shown.map(({ at, narrow, paint, width }) => {
        const text = texts[index]?.[at] ?? '';
        // cli-table3 wraps between words alone, and cuts what is longer.
        const cell = narrow === 'wrap' ? withBreaks(text, width) : shortened(text, width, narrow ?? 'end');
        return paint === undefined ? cell : paint(cell, row);
      }),
    );
  }
  return `${table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')}\n`;
}

function shortened(text: string, width: number, lose: 'start' | 'end'): string {
  const characters = [...text];
  if (characters.length <= width) return text;
  return lose === 'end' ? `${characters.slice(0, width - 1).join('')}…` : `…${characters.slice(1 - width).join('')}`;
}

const noLines = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: ' '.repeat(gap),
};
