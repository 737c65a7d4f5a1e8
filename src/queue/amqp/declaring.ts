import {
  type DeclareOptions,
  type DeclareReport,
  type GroupTopology,
  noTopic,
  Refusal,
  type Topology,
  topologyDifferences,
} from '../driver.js';
import type { Catalogue } from './catalogue.js';
import {
  askedWith,
  type CatalogueContent,
  type CatalogueGroup,
  groupIn,
  shapeIn,
  topologyOf,
  withDeclared,
  withDelays,
  withFinished,
  withGroup,
} from './catalogue-content.js';
import { coinDelaysMs, exactPart } from './delay-parts.js';
import type { DurabilityGate } from './durability-gate.js';
import type { Names, TopicShape } from './names.js';
import type { Objects } from './objects.js';

export interface DeclaringOptions {
  readonly names: Names;
  readonly objects: Objects;
  readonly catalogue: Catalogue;
  readonly gate: DurabilityGate;
}

interface Work {
  readonly topic: string;
  readonly group: string;
  readonly was: CatalogueGroup;
}

/**
 * Makes what a topology needs exist. What is new is written into the catalogue first, marked as unfinished, so that of two
 * who want different things one is refused before anything is changed; the marks go when everything is durable.
 */
export class Declaring {
  readonly #options: DeclaringOptions;

  constructor(options: DeclaringOptions) {
    this.#options = options;
  }

  async declare(asked: Topology, options: DeclareOptions): Promise<DeclareReport> {
    if (options.mode === 'check') return this.#check(asked, options);
    return this.#carryOut(() => asked, options);
  }

  async addGroup(topic: string, group: GroupTopology): Promise<void> {
    await this.#carryOut(
      (content) => {
        if (shapeIn(content, topic) === null) throw noTopic(topic);
        return askedWith(content, topic, group);
      },
      { mode: 'assert', change: false },
    );
  }

  /** First its queues, then its name: a crash in between leaves a group that somebody will declare again, and no queue that nobody reads. */
  async removeGroup(topicName: string, group: string): Promise<void> {
    await this.#options.catalogue.change(
      (content) => {
        if (shapeIn(content, topicName) === null) throw noTopic(topicName);
        return groupIn(content, topicName, group) === null ? content : withGroup(content, topicName, group, null);
      },
      async (content) => {
        const topic = shapeIn(content, topicName);
        if (topic !== null && groupIn(content, topicName, group) !== null) {
          await this.#options.objects.deleteGroup(topic, group);
        }
      },
    );
    await this.#options.catalogue.tell();
  }

  async #check(asked: Topology, options: DeclareOptions): Promise<DeclareReport> {
    const { catalogue, objects } = this.#options;
    const content = await catalogue.refresh();
    const report = topologyDifferences(topologyOf(content), asked, options);
    const queues = asked.topics.flatMap((topic) => topic.groups.flatMap(({ name }) => objects.queuesOf(topic, name)));
    const missing = await objects.missing(queues);
    if (missing.length === 0) return report;
    const names = missing.map((queue) => `queue "${queue}"`).join(', no ');
    throw new Refusal('not-found', `there is no ${names}`, 'declare what is missing: setup()');
  }

  async #carryOut(ask: (content: CatalogueContent) => Topology, options: DeclareOptions): Promise<DeclareReport> {
    const { catalogue, gate } = this.#options;
    let asked: Topology = { topics: [] };
    let report: DeclareReport = { created: [], changed: [] };
    const content = await catalogue.change((before) => {
      asked = ask(before);
      report = topologyDifferences(topologyOf(before), asked, options);
      return withDeclared(before, asked, report);
    });
    const work = asked.topics.flatMap(({ name, groups }) => workOn(content, name, groups));
    const delaysMs = missingDelays(content, asked);
    const made = [...(await this.#makeDelays(content, delaysMs)), ...(await this.#makeGroups(content, asked, work))];
    await gate.untilDurable([this.#options.names.catalogue, ...made]);
    await catalogue.change((now) => withDelays(withFinished(now, work), delaysMs));
    return { ...report, created: [...report.created, ...healed(made, work, this.#queuesOf(content, work))] };
  }

  /** With the first topology come the queues that everything delayed goes through. */
  async #makeDelays(content: CatalogueContent, delaysMs: readonly number[]): Promise<readonly string[]> {
    const { objects } = this.#options;
    const isFirst = coinDelaysMs.some((ms) => !content.delaysMs.includes(ms));
    const base = isFirst ? await objects.declareBase() : [];
    return delaysMs.length === 0 ? base : [...base, ...(await objects.declareDelays(delaysMs))];
  }

  async #makeGroups(content: CatalogueContent, asked: Topology, work: readonly Work[]): Promise<readonly string[]> {
    const { objects, gate } = this.#options;
    const made: string[] = [];
    for (const { name } of asked.topics) {
      const topic = shapeIn(content, name);
      if (topic === null) continue;
      await objects.declareExchanges(topic);
      for (const each of work.filter((one) => one.topic === name)) {
        made.push(...(await objects.declareGroup(topic, each.group, each.was)));
        if (!each.was.unfinished) continue;
        // Somebody else may have declared them a moment ago.
        const queues = objects.queuesOf(topic, each.group);
        gate.declared(queues);
        made.push(...queues);
      }
    }
    return made;
  }

  #queuesOf(content: CatalogueContent, work: readonly Work[]): ReadonlyMap<Work, readonly string[]> {
    const queuesOf = ({ topic, group }: Work): readonly string[] =>
      this.#options.objects.queuesOf(shapeIn(content, topic) as TopicShape, group);
    return new Map(work.map((each) => [each, queuesOf(each)]));
  }
}

function workOn(content: CatalogueContent, topic: string, groups: readonly GroupTopology[]): readonly Work[] {
  return groups.flatMap(({ name }) => {
    const was = groupIn(content, topic, name);
    return was === null ? [] : [{ topic, group: name, was }];
  });
}

function missingDelays({ delaysMs }: CatalogueContent, { topics }: Topology): readonly number[] {
  const expected = topics.flatMap(({ expectedDelaysMs }) => expectedDelaysMs.map(exactPart));
  const wanted = new Set([...coinDelaysMs, ...expected.filter((ms) => ms !== null)]);
  return [...wanted].filter((ms) => !delaysMs.includes(ms));
}

/** Queues of groups that were there by name, and had to be made all the same. */
function healed(
  made: readonly string[],
  work: readonly Work[],
  queues: ReadonlyMap<Work, readonly string[]>,
): readonly string[] {
  const finished = new Set(work.filter(({ was }) => !was.unfinished).flatMap((each) => queues.get(each) ?? []));
  return made.filter((queue) => finished.has(queue)).map((queue) => `queue "${queue}"`);
}
