import Table from 'cli-table3';
import type { Colors } from './colors.js';
import type { Output } from './io.js';

export interface Column<Row> {
  readonly head: string;
  readonly text: (row: Row) => string;
  readonly align?: 'right';
  /** Cut, with `…`, where the table would be wider than the terminal. */
  readonly flexible?: boolean;
  readonly paint?: (text: string, row: Row) => string;
}

const gap = 2;
const narrowest = 12;

/**
 * Rows under their heads, as lines that end in a line feed. On a terminal no wider than it is, by cutting
 * the flexible columns; elsewhere nothing is cut, because somebody may search in it.
 */
export function tableOf<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  output: Output,
  colors: Colors,
): string {
  const texts = rows.map((row) => columns.map(({ text }) => text(row)));
  const widths = cutToFit(
    columns.map(({ head }, at) => Math.max(head.length, ...texts.map((cells) => [...(cells[at] ?? '')].length))),
    columns.map(({ flexible }) => flexible === true),
    output.isTTY === true ? (output.columns ?? null) : null,
  );
  const table = new Table({
    head: columns.map(({ head }) => colors.bold(head)),
    // Null where the text decides: cli-table3 knows the width of every character, we only count them.
    colWidths: widths.map(({ width, cut }) => (cut ? width : null)),
    colAligns: columns.map(({ align }) => align ?? 'left'),
    chars: noLines,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  });
  for (const [index, row] of rows.entries()) {
    table.push(columns.map(({ paint }, at) => (paint ?? ((text: string) => text))(texts[index]?.[at] ?? '', row)));
  }
  return `${table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')}\n`;
}

/** Takes what is too much from the widest flexible column, again and again. Pure. */
function cutToFit(
  natural: readonly number[],
  flexible: readonly boolean[],
  available: number | null,
): readonly { readonly width: number; readonly cut: boolean }[] {
  const widths = [...natural];
  const total = (): number => widths.reduce((sum, width) => sum + width, 0) + gap * (widths.length - 1);
  while (available !== null && total() > available) {
    const widest = Math.max(0, ...widths.filter((width, at) => flexible[at] && width > narrowest));
    const at = widths.findIndex((width, index) => flexible[index] && width === widest);
    if (at < 0) break;
    widths[at] = widest - 1;
  }
  return widths.map((width, at) => ({ width, cut: width < (natural[at] ?? 0) }));
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
