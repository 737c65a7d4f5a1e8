import type { Depth } from './driver.js';
import type { Look } from './move-look.js';

/**
 * Who or what used a queue between two looks, for people; null: nobody that could be seen. Depths alone do not tell: what is
 * published and consumed at the same pace leaves them as they are. Pure.
 */
export function useBetween(before: Look, after: Look): string | null {
  const held = after.groups.find(({ depth }) => (depth.inHand ?? 0) > 0);
  if (held !== undefined) return `group "${held.group}" of "${held.topic}" has ${held.depth.inHand} messages in hand`;
  // Seen twice: who only looked is gone by then.
  const other = after.signs.others.find((one) => before.signs.others.includes(one));
  if (other !== undefined) return other;
  // From before the first count to after the second: what fell due while it was counted is in the one or in the other.
  const fellDue = before.inTransitBefore - after.left.inTransit;
  if (fellDue < 0) return `${-fellDue} delayed messages were published`;
  for (const { topic, group, depth } of after.groups) {
    const was = countOf(before.groups.find((each) => each.topic === topic && each.group === group)?.depth);
    const is = countOf(depth);
    // What fell due meanwhile came into some of the groups, and into none twice.
    if (is < was || is > was + fellDue) return `group "${group}" of "${topic}" had ${was} messages and has ${is} now`;
  }
  if (before.signs.counter === after.signs.counter) return null;
  return 'messages were published or handed out while it was watched';
}

function countOf(depth: Depth | undefined): number {
  return (depth?.ready ?? 0) + (depth?.delayed ?? 0) + (depth?.inHand ?? 0);
}
