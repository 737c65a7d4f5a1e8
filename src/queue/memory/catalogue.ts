import {
  type Clock,
  type DeclareOptions,
  type DeclareReport,
  type GroupTopology,
  noGroup,
  noTopic,
  type TopicTopology,
  type Topology,
  topologyDifferences,
} from '../driver.js';
import { Group } from './group.js';
import type { LostLetters } from './lost-letters.js';
import { byName, Topic } from './topic.js';

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

  /** First every difference is found, and only when all of them may be applied is the first one applied. */
  declare(topology: Topology, options: DeclareOptions, now: number): DeclareReport {
    const report = topologyDifferences(this.topologies(), topology, options);
    if (options.mode === 'assert') for (const wanted of topology.topics) this.#apply(wanted, now);
    return report;
  }

  addGroup(topic: Topic, wanted: GroupTopology, now: number): void {
    const asked = { ...topic.topology(), groups: [wanted] };
    this.declare({ topics: [asked] }, { mode: 'assert', change: false }, now);
  }

  removeGroup(topic: Topic, name: string, now: number): void {
    const group = topic.groups.get(name);
    if (group === undefined) return;
    topic.groups.delete(name);
    this.#lost.strand(topic.name, name, group.remove(now, noGroup(topic.name, name)));
  }

  #apply(wanted: TopicTopology, now: number): void {
    const topic = this.#topics.get(wanted.name) ?? new Topic(wanted);
    this.#topics.set(wanted.name, topic);
    for (const { name, patterns } of wanted.groups) {
      const group = topic.groups.get(name);
      if (group === undefined) this.#createGroup(topic, name, patterns, now);
      else group.patterns = [...patterns];
    }
    // What a backend keeps only to be able to answer for it.
    topic.maxRedeliveries = wanted.maxRedeliveries;
    topic.expectedDelaysMs = [...wanted.expectedDelaysMs];
  }

  #createGroup(topic: Topic, name: string, patterns: readonly string[], now: number): void {
    const group = new Group(name, patterns, topic.shape, this.#clock);
    topic.groups.set(name, group);
    this.#lost.returnTo(topic.name, group, now);
  }
}
