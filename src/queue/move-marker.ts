import { randomUUID } from 'node:crypto';

const prefix = 'signalbox-move-';

/** A group that a move adds to its target for a moment, to see whether the source has it then. */
export function markerName(): string {
  return `${prefix}${randomUUID()}`;
}

/** Left behind by a move that was killed in that moment. Nothing is ever in it. */
export function isMarker(group: string): boolean {
  return group.startsWith(prefix);
}
