import type { MoveProgress, MoveRest } from '../queue/index.js';
import { counted } from './counted.js';
import type { CliIo } from './io.js';

const liveEveryMs = 100;
const plainEveryMs = 2_000;
const eraseLine = '\r\u001b[2K';

/** How far a move is, on stderr: on a terminal one line that changes, elsewhere a line for each thing it does, and every two seconds. */
export function showMoving({ stderr, clock, env }: CliIo): {
  readonly tell: (progress: MoveProgress) => void;
  readonly end: () => void;
} {
  const live = stderr.isTTY === true && env.TERM !== 'dumb';
  let toldAt = Number.NEGATIVE_INFINITY;
  let told: MoveProgress['doing'] | null = null;
  return {
    tell(progress) {
      const now = clock.now();
      const isNew = progress.doing !== told && progress.doing !== 'waiting' && told !== 'waiting';
      if (!isNew && now - toldAt < (live ? liveEveryMs : plainEveryMs)) return;
      toldAt = now;
      told = progress.doing;
      const text = textOf(progress);
      stderr.write(live ? `${eraseLine}${text.slice(0, (stderr.columns ?? 80) - 1)}` : `${text}\n`);
    },
    end() {
      if (live && told !== null) stderr.write(eraseLine);
      told = null;
    },
  };
}

function textOf({ doing, groups, left }: MoveProgress): string {
  if (doing === 'watching') return 'looking whether the source is in use';
  if (doing === 'pausing') return 'pausing the groups of the source';
  if (doing === 'settling') return `waiting for ${counted(left?.inHand ?? 0, 'message')} in hand`;
  const messages = groups.reduce((sum, each) => sum + each.messages, 0);
  const dead = groups.reduce((sum, each) => sum + each.deadLetters, 0);
  const moved = `${counted(messages, 'message')} and ${counted(dead, 'dead letter')} moved`;
  return doing === 'waiting' && left !== null ? `${moved}${awaited(left)}` : moved;
}

function awaited({ inTransit, waiting }: MoveRest): string {
  if (inTransit > 0) return `; waiting for ${counted(inTransit, 'delayed message')}`;
  return waiting > 0 ? `; ${counted(waiting, 'message')} left` : '';
}
