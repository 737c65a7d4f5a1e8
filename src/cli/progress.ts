import type { Clock } from '../queue/index.js';
import type { Colors } from './colors.js';
import { colorsFor } from './colors.js';
import { counted } from './counted.js';
import type { CliIo } from './io.js';
import type { Tally } from './tally.js';

const liveEveryMs = 100;
const plainEveryMs = 2_000;
const barWidth = 20;
const eraseLine = '\r\u001b[2K';

/**
 * Shows on stderr how far a run is, until the function it answers is called (again changes nothing): on a terminal one line that
 * changes, elsewhere a line every two seconds.
 */
export function showProgress(io: CliIo, clock: Clock, tally: Tally, total: number): () => void {
  const { stderr } = io;
  const live = stderr.isTTY === true && io.env.TERM !== 'dumb';
  const colors = colorsFor(stderr, io.env);
  const startedAt = clock.now();
  let cancel = (): void => {};

  const show = (): void => {
    const seconds = (clock.now() - startedAt) / 1_000;
    // A line as wide as the terminal would wrap, and could not be erased any more.
    if (live) stderr.write(`${eraseLine}${liveLine(tally, total, seconds, (stderr.columns ?? 80) - 1, colors)}`);
    else stderr.write(`${plainLine(tally, total, seconds)}\n`);
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

function plainLine(tally: Tally, total: number, seconds: number): string {
  return `${doneText(tally, total)} after ${seconds.toFixed(1)} s: ${stateTexts(tally).join(', ') || 'starting'}`;
}

function liveLine(tally: Tally, total: number, seconds: number, width: number, colors: Colors): string {
  const done = Math.min(total, tally.ended + tally.deadLetters.length);
  const filled = total === 0 ? 0 : Math.round((barWidth * done) / total);
  const text = ` ${doneText(tally, total)}  ${seconds.toFixed(1)} s  ${stateTexts(tally).join(', ')}`;
  const bar = `${'█'.repeat(filled)}${'░'.repeat(barWidth - filled)}`;
  return width < barWidth + 10 ? text.slice(0, width) : `${colors.green(bar)}${text.slice(0, width - barWidth)}`;
}

function doneText(tally: Tally, total: number): string {
  return `${tally.ended + tally.deadLetters.length} of ${total} done`;
}

function stateTexts(tally: Tally): readonly string[] {
  const texts = Object.entries(tally.states).flatMap(([state, count]) => (count === 0 ? [] : [`${count} ${state}`]));
  if (tally.deadLetters.length > 0) texts.push(counted(tally.deadLetters.length, 'dead letter'));
  if (tally.polls > 0) texts.push(counted(tally.polls, 'poll'));
  return texts;
}
