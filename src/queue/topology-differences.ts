import type { DeclareOptions, DeclareReport, GroupTopology, TopicTopology, Topology } from './driver.js';
import { Refusal } from './refusal.js';

/**
 * What `declare` would create and change where `there` exists, for drivers that can list what exists. Throws the
 * refusal that `declare` rejects with: `topology-mismatch` for another ordering, other lanes, and other patterns
 * unless `change` is true; in mode `check`, `not-found` for what is missing. Pure: look first, then write.
 */
export function topologyDifferences(
  there: readonly TopicTopology[],
  asked: Topology,
  { mode, change }: DeclareOptions,
): DeclareReport {
  const created: string[] = [];
  const changed: string[] = [];
  for (const topic of asked.topics) {
    const old = there.find(({ name }) => name === topic.name);
    const object = `topic "${topic.name}"`;
    if (old === undefined) created.push(object);
    else demandSameShape(object, old, topic);
    for (const group of topic.groups) {
      const before = old?.groups.find(({ name }) => name === group.name);
      const what = `group "${group.name}" of ${object}`;
      if (before === undefined) created.push(what);
      else if (samePatterns(before, group)) continue;
      else if (change && mode === 'assert') changed.push(what);
      else throw mismatch(what, 'patterns', before.patterns, group.patterns, 'setup({ change: true })');
    }
  }
  if (mode === 'check' && created.length > 0) {
    throw new Refusal('not-found', `there is no ${created.join(', no ')}`, 'declare what is missing: setup()');
  }
  return { created: [...new Set(created)], changed: [...new Set(changed)] };
}

/** A waiting message's lane was computed for the shape that its topic had; with another, one key would be in two lanes. */
function demandSameShape(object: string, old: TopicTopology, asked: TopicTopology): void {
  for (const argument of ['ordering', 'lanes'] as const)
    if (old[argument] !== asked[argument])
      throw mismatch(object, argument, old[argument], asked[argument], 'use a new topic');
}

/** Patterns are a set: their order, and saying one twice, means nothing. */
function samePatterns(one: GroupTopology, other: GroupTopology): boolean {
  const [ones, others] = [new Set(one.patterns), new Set(other.patterns)];
  return ones.size === others.size && [...ones].every((pattern) => others.has(pattern));
}

function mismatch(object: string, argument: string, exists: unknown, asked: unknown, change: string): Refusal {
  const values = `${JSON.stringify(exists)}, asked for ${JSON.stringify(asked)}`;
  return new Refusal(
    'topology-mismatch',
    `${object} exists with ${argument} ${values}`,
    `ask for what exists, or ${change}`,
  );
}
