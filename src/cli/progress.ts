import type { Clock } from '../queue/index.js';
import type { Colors } from './colors.js';
import { colorsFor } from './colors.js';
import type { CliIo } from './io.js';

/** How far something is. */
export interface Progress {
  /** Null where nobody can tell how far: then only the time is shown. */
  readonly count: { readonly done: number; readonly total: number } | null;
  /** `done`, `cases`, `redriving dead letters`. */
  readonly what: string;
  /** Whatever else is worth knowing: `3 running`. */
  readonly details: readonly string[];
}

const liveEveryMs = 100;
const plainEveryMs = 2_000;
const barWidth = 20;
const eraseLine = '\r\u001b[2K';

/**
 * Shows on stderr how far something is, until the function it answers is called (again changes nothing): on a terminal one line that
 * changes, elsewhere a line every two seconds.
 */
export function showProgress(io: CliIo, clock: Clock, current: () => Progress): () => void {
  const { stderr } = io;
  const live = stderr.isTTY === true && io.env.TERM !== 'dumb';
  const colors = colorsFor(stderr, io.env);
  const startedAt = clock.now();
  let cancel = (): void => {};

  const show = (): void => {
    const seconds = (clock.now() - startedAt) / 1_000;
    // A line as wide as the terminal would wrap, and could not be erased any more.
    if (live) stderr.write(`${eraseLine}${liveLine(current(), seconds, (stderr.columns ?? 80) - 1, colors)}`);
    else stderr.write(`${plainLine(current(), seconds)}\n`);
  };
  const tick = (): void => {
    show();
    cancel = clock.schedule(tick, live ? liveEveryMs : plainEveryMs);
  };
  if (live) tick();
  else cancel = clock.schedule(tick, plainEveryMs);

  let ended = false;
  return () => {
    cancel();
    if (live && !ended) stderr.write(eraseLine);
    ended = true;
  };
}

/** Shows that something goes on of which nobody can tell how far it is. */
export async function whileShowing<T>(io: CliIo, what: string, work: Promise<T>): Promise<T> {
  const end = showProgress(io, io.clock, () => ({ count: null, what, details: [] }));
  try {
    return await work;
  } finally {
    end();
  }
}

function plainLine(progress: Progress, seconds: number): string {
  const details = progress.details.length === 0 ? '' : `: ${progress.details.join(', ')}`;
  return `${countText(progress)} after ${seconds.toFixed(1)} s${details}`;
}

function liveLine(progress: Progress, seconds: number, width: number, colors: Colors): string {
  const text = ` ${countText(progress)}  ${seconds.toFixed(1)} s  ${progress.details.join(', ')}`;
  const { count } = progress;
  if (count === null || width < barWidth + 10) return text.slice(0, width);
  const filled = count.total === 0 ? 0 : Math.round((barWidth * Math.min(count.total, count.done)) / count.total);
  const bar = `${'█'.repeat(filled)}${'░'.repeat(barWidth - filled)}`;
  return `${colors.green(bar)}${text.slice(0, width - barWidth)}`;
}

function countText({ count, what }: Progress): string {
  return count === null ? what : `${count.done} of ${count.total} ${what}`;
}
