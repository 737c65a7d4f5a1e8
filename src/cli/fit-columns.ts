export const gap = 2;
/** No column is made narrower than this: of less, nobody could read anything. */
const narrowest = 12;

/** A column as far as its width goes. */
export interface ColumnRoom {
  readonly natural: number;
  readonly canNarrow: boolean;
  /** Whether, and before which others, it is left out: the lowest number goes first. */
  readonly expendable: number | null;
}

export interface FittingColumn {
  /** Which of the columns. */
  readonly at: number;
  readonly width: number;
  readonly narrowed: boolean;
}

/**
 * Columns and widths with which a table is no wider than `available` (null: as wide as it likes): narrower ones first, then without the
 * expendable. Null where no table fits. Pure.
 */
export function fitColumns(columns: readonly ColumnRoom[], available: number | null): readonly FittingColumn[] | null {
  let shown = columns.map((column, at) => ({ ...column, at }));
  while (available !== null) {
    const widths = narrowed(shown, available);
    if (totalOf(widths) <= available) return fitting(shown, widths);
    const least = Math.min(...shown.map(({ expendable }) => expendable ?? Number.POSITIVE_INFINITY));
    if (least === Number.POSITIVE_INFINITY) return null;
    shown = shown.filter(({ expendable }) => expendable !== least);
  }
  return fitting(
    shown,
    shown.map(({ natural }) => natural),
  );
}

/** Takes what is too much from the widest column that can give it, again and again. */
function narrowed(columns: readonly ColumnRoom[], available: number): readonly number[] {
  const widths = columns.map(({ natural }) => natural);
  while (totalOf(widths) > available) {
    const widest = Math.max(0, ...widths.filter((width, at) => columns[at]?.canNarrow && width > narrowest));
    const at = widths.findIndex((width, index) => columns[index]?.canNarrow && width === widest);
    if (at < 0) break;
    widths[at] = widest - 1;
  }
  return widths;
}

function totalOf(widths: readonly number[]): number {
  return widths.reduce((sum, width) => sum + width, 0) + gap * (widths.length - 1);
}

function fitting(
  columns: readonly (ColumnRoom & { readonly at: number })[],
  widths: readonly number[],
): readonly FittingColumn[] {
  return columns.map(({ at, natural }, index) => {
    const width = widths[index] ?? natural;
    return { at, width, narrowed: width < natural };
  });
}
