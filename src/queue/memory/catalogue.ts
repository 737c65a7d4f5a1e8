import {
  type Clock,
  type DeclareOptions,
  type DeclareReport,
  type GroupTopology,
  Refusal,
  type TopicTopology,
  type Topology,
} from '../driver.js';
import { Group } from './group.js';
import type { LostLetters } from './lost-letters.js';
import { byName, Topic } from './topic.js';

/** One difference between what is asked and what exists. */
interface Step {
  readonly kind: 'created' | 'changed';
  /** What it is called in the report. */
  readonly object: string;
  /** Rejects the declaration where the step may not be taken. */
  readonly refusal: Refusal;
  readonly take: () => void;
}

/** The topics and groups that exist. */
export class Catalogue {
  readonly #topics = new Map<string, Topic>();
  readonly #clock: Clock;
  readonly #lost: LostLetters;

  constructor(clock: Clock, lost: LostLetters) {
    this.#clock = clock;
    this.#lost = lost;
  }

  topologies(): readonly TopicTopology[] {
    return [...this.#topics.values()].map((topic) => topic.topology()).sort(byName);
  }

  find(topic: string): Topic | undefined {
    return this.#topics.get(topic);
  }

  /** Throws a `not-found` refusal. */
  topic(name: string): Topic {
    const topic = this.#topics.get(name);
    if (topic === undefined) throw noTopic(name);
    return topic;
  }

  /** Throws a `not-found` refusal. */
  group(topicName: string, name: string): Group {
    const group = this.topic(topicName).groups.get(name);
    if (group === undefined) throw noGroup(topicName, name);
    return group;
  }

  /** First every difference is found, and only when all of them may be taken is the first one taken. */
  declare(topology: Topology, { mode, change }: DeclareOptions, now: number): DeclareReport {
    const steps = topology.topics.flatMap((wanted) => this.#stepsTo(wanted, now));
    const mayTake = ({ kind }: Step): boolean => mode === 'assert' && (kind === 'created' || change);
    for (const step of steps) if (!mayTake(step)) throw step.refusal;
    for (const step of steps) step.take();
    for (const wanted of topology.topics) this.#note(wanted);
    const objects = (kind: Step['kind']): readonly string[] => [
      ...new Set(steps.filter((step) => step.kind === kind).map((step) => step.object)),
    ];
    return { created: objects('created'), changed: objects('changed') };
  }

  addGroup(topic: Topic, wanted: GroupTopology, now: number): void {
    for (const step of this.#stepsToGroup(topic.name, topic, wanted, now)) {
      if (step.kind === 'changed') throw step.refusal;
      step.take();
    }
  }

  removeGroup(topic: Topic, name: string, now: number): void {
    const group = topic.groups.get(name);
    if (group === undefined) return;
    topic.groups.delete(name);
    this.#lost.strand(topic.name, name, group.remove(now, noGroup(topic.name, name)));
  }

  #stepsTo(wanted: TopicTopology, now: number): readonly Step[] {
    const topic = this.#topics.get(wanted.name);
    const groups = wanted.groups.flatMap((group) => this.#stepsToGroup(wanted.name, topic, group, now));
    if (topic === undefined) return [this.#topicStep(wanted), ...groups];
    return [...this.#shapeSteps(topic, wanted, now), ...groups];
  }

  #topicStep(wanted: TopicTopology): Step {
    return {
      kind: 'created',
      object: `topic "${wanted.name}"`,
      refusal: noTopic(wanted.name),
      take: () => {
        // A declaration may name a topic twice.
        if (!this.#topics.has(wanted.name)) this.#topics.set(wanted.name, new Topic(wanted));
      },
    };
  }

  /**
   * A message's lane was computed for the shape that its topic had; with another shape one key would be in
   * two lanes. So the shape changes only while nothing is there, and else not even when asked to.
   */
  #shapeSteps(topic: Topic, wanted: TopicTopology, now: number): readonly Step[] {
    const object = `topic "${topic.name}"`;
    return (['ordering', 'lanes'] as const)
      .filter((argument) => topic.shape[argument] !== wanted[argument])
      .map((argument) => {
        const refusal = mismatch(object, argument, topic.shape[argument], wanted[argument]);
        if (!this.#isEmpty(topic, now)) throw refusal;
        return { kind: 'changed', object, refusal, take: () => topic.reshape(wanted) };
      });
  }

  #stepsToGroup(topicName: string, topic: Topic | undefined, wanted: GroupTopology, now: number): readonly Step[] {
    const object = `group "${wanted.name}" of topic "${topicName}"`;
    const group = topic?.groups.get(wanted.name);
    if (group === undefined) {
      const take = (): void => this.#createGroup(this.topic(topicName), wanted, now);
      return [{ kind: 'created', object, refusal: noGroup(topicName, wanted.name), take }];
    }
    if (sameSet(group.patterns, wanted.patterns)) return [];
    const refusal = mismatch(object, 'patterns', group.patterns, wanted.patterns);
    const take = (): void => {
      group.patterns = [...wanted.patterns];
    };
    return [{ kind: 'changed', object, refusal, take }];
  }

  #createGroup(topic: Topic, wanted: GroupTopology, now: number): void {
    if (topic.groups.has(wanted.name)) return;
    const group = new Group(wanted.name, wanted.patterns, topic.shape, this.#clock);
    topic.groups.set(wanted.name, group);
    this.#lost.returnTo(topic.name, group, now);
  }

  /** Takes over what a backend keeps only to be able to answer for it. */
  #note(wanted: TopicTopology): void {
    const topic = this.topic(wanted.name);
    topic.maxRedeliveries = wanted.maxRedeliveries;
    topic.expectedDelaysMs = [...wanted.expectedDelaysMs];
  }

  #isEmpty(topic: Topic, now: number): boolean {
    return [...topic.groups.values()].every((group) => group.isEmpty(now)) && !this.#lost.has(topic.name, now);
  }
}

export function noTopic(name: string): Refusal {
  return new Refusal('not-found', `there is no topic "${name}"`, 'declare it first: setup()');
}

export function noGroup(topic: string, name: string): Refusal {
  const remedy = "declare it among the topic's groups and call setup(), or add it: admin.addGroup()";
  return new Refusal('not-found', `topic "${topic}" has no group "${name}"`, remedy);
}

function mismatch(object: string, argument: string, exists: unknown, wanted: unknown): Refusal {
  const remedy =
    argument === 'patterns'
      ? 'ask for what exists, or for the change: setup({ change: true })'
      : 'ask for what exists, or for the change, setup({ change: true }), when no message, delayed or dead letter is left';
  const values = `${JSON.stringify(exists)}, asked for ${JSON.stringify(wanted)}`;
  return new Refusal('topology-mismatch', `${object} exists with ${argument} ${values}`, remedy);
}

function sameSet(one: readonly string[], other: readonly string[]): boolean {
  const [ones, others] = [new Set(one), new Set(other)];
  return ones.size === others.size && [...ones].every((item) => others.has(item));
}
