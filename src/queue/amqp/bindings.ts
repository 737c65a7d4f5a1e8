import type { Names, TopicShape } from './names.js';

export interface Binding {
  readonly exchange: string;
  readonly queue: string;
  readonly pattern: string;
}

/** All lanes of a topic. */
export function lanesOf({ lanes }: TopicShape): readonly number[] {
  return Array.from({ length: lanes }, (_, lane) => lane);
}

/** What a group's patterns are in a broker: each lane's queue is bound to the same lane's exchange. */
export function bindingsOf(
  names: Names,
  topic: TopicShape,
  group: string,
  patterns: readonly string[],
): readonly Binding[] {
  return lanesOf(topic).flatMap((lane) =>
    patterns.map((pattern) => ({
      exchange: names.exchange(topic, lane),
      queue: names.queue(topic, group, lane),
      pattern,
    })),
  );
}
