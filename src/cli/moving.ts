import type { MoveReport } from '../queue/index.js';
import { counted } from './counted.js';
import type { CliIo } from './io.js';

const liveEveryMs = 100;
const plainEveryMs = 2_000;
const eraseLine = '\r\u001b[2K';

/** How far a move is, on stderr: on a terminal one line that changes, elsewhere a line every two seconds. */
export function showMoving({ stderr, clock, env }: CliIo): {
  readonly tell: (report: MoveReport) => void;
  readonly end: () => void;
} {
  const live = stderr.isTTY === true && env.TERM !== 'dumb';
  let toldAt = live ? Number.NEGATIVE_INFINITY : clock.now();
  let isShown = false;
  return {
    tell({ groups }) {
      const now = clock.now();
      if (now - toldAt < (live ? liveEveryMs : plainEveryMs)) return;
      toldAt = now;
      isShown = true;
      const messages = groups.reduce((sum, each) => sum + each.messages, 0);
      const dead = groups.reduce((sum, each) => sum + each.deadLetters, 0);
      const text = `${counted(messages, 'message')} and ${counted(dead, 'dead letter')} moved`;
      stderr.write(live ? `${eraseLine}${text.slice(0, (stderr.columns ?? 80) - 1)}` : `${text}\n`);
    },
    end() {
      if (live && isShown) stderr.write(eraseLine);
    },
  };
}
