/** One measured number, what it is held against, and whether that holds. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: 'messages/s' | 'ms' | 'statements' | 'statements/s' | 'messages' | '%' | 'MiB';
  /** Measured in the same run without signalbox. */
  readonly raw: { readonly name: string; readonly value: number } | null;
  readonly target: Target | null;
}

export interface Target {
  /** Of the number itself, or of its ratio to the raw one. */
  readonly of: 'value' | 'ratio';
  readonly bound: 'at least' | 'at most';
  readonly value: number;
}

/** Null where there is nothing to compare with. */
export function ratioOf({ value, raw }: Figure): number | null {
  return raw === null ? null : value / raw.value;
}

/** Null where nothing was asked. */
export function isMet(figure: Figure): boolean | null {
  const { target } = figure;
  if (target === null) return null;
  const measured = target.of === 'value' ? figure.value : ratioOf(figure);
  if (measured === null) return false;
  return target.bound === 'at least' ? measured >= target.value : measured <= target.value;
}

export function atLeast(value: number, of: Target['of'] = 'ratio'): Target {
  return { of, bound: 'at least', value };
}

export function atMost(value: number, of: Target['of'] = 'value'): Target {
  return { of, bound: 'at most', value };
}
