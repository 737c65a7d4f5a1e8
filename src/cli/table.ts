import Table from 'cli-table3';
import type { Colors } from './colors.js';
import type { Output } from './io.js';

export interface Column<Row> {
  readonly head: string;
  readonly text: (row: Row) => string;
  readonly align?: 'right';
  /**
   * What happens where the table would be wider than the terminal: lose its `start` or its `end`, with `…` in
   * its place, or go on in the next line. Default: this column keeps its width.
   */
  readonly narrow?: 'start' | 'end' | 'wrap';
  readonly paint?: (text: string, row: Row) => string;
}

const gap = 2;
const narrowest = 12;

/**
 * Rows under their heads, as lines that end in a line feed. On a terminal no wider than it is, by making
 * columns narrower; elsewhere nothing is cut, because somebody may search in it.
 */
export function tableOf<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  output: Output,
  colors: Colors,
): string {
  const texts = rows.map((row) => columns.map(({ text }) => text(row)));
  const widths = narrowToFit(
    columns.map(({ head }, at) =>
      texts.reduce((widest, cells) => Math.max(widest, [...(cells[at] ?? '')].length), head.length),
    ),
    columns.map(({ narrow }) => narrow !== undefined),
    output.isTTY === true ? (output.columns ?? null) : null,
  );
  const table = new Table({
    head: columns.map(({ head }) => colors.bold(head)),
    // Null where the text decides: cli-table3 knows the width of every character, we only count them.
    colWidths: widths.map(({ width, narrowed }) => (narrowed ? width : null)),
    colAligns: columns.map(({ align }) => align ?? 'left'),
    wordWrap: true,
    chars: noLines,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  });
  for (const [index, row] of rows.entries()) {
    table.push(
      columns.map(({ narrow, paint }, at) => {
        const text = texts[index]?.[at] ?? '';
        const width = widths[at]?.width ?? text.length;
        const fitting = narrow === 'start' || narrow === 'end' ? shortened(text, width, narrow) : text;
        return paint === undefined ? fitting : paint(fitting, row);
      }),
    );
  }
  return `${table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')}\n`;
}

/** Takes what is too much from the widest column that can give it, again and again. Pure. */
function narrowToFit(
  natural: readonly number[],
  canNarrow: readonly boolean[],
  available: number | null,
): readonly { readonly width: number; readonly narrowed: boolean }[] {
  const widths = [...natural];
  const total = (): number => widths.reduce((sum, width) => sum + width, 0) + gap * (widths.length - 1);
  while (available !== null && total() > available) {
    const widest = Math.max(0, ...widths.filter((width, at) => canNarrow[at] && width > narrowest));
    const at = widths.findIndex((width, index) => canNarrow[index] && width === widest);
    if (at < 0) break;
    widths[at] = widest - 1;
  }
  return widths.map((width, at) => ({ width, narrowed: width < (natural[at] ?? 0) }));
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
