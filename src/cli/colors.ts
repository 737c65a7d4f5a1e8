import picocolors from 'picocolors';
import type { CliIo, Output } from './io.js';

export type Colors = ReturnType<typeof picocolors.createColors>;

/** Colours for one stream: only where it is a terminal that has them, never with `NO_COLOR` (https://no-color.org). */
export function colorsFor(output: Output, env: CliIo['env']): Colors {
  const wanted = output.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb';
  return picocolors.createColors(wanted);
}
