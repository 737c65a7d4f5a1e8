import {
  type DeclareOptions,
  type DeclareReport,
  type GroupTopology,
  type Logger,
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
  groupsIn,
  shapeIn,
  topologyOf,
  withDeclared,
  withDelays,
  withFinished,
  withGroup,
} from './catalogue-content.js';
import { replyCodeOf } from './connection/index.js';
import { coinDelaysMs, exactPart } from './delay-parts.js';
import type { DurabilityGate } from './durability-gate.js';
import { demandMappable } from './mapped/demand-mappable.js';
import { demandOwnQueues, type ShapeWithGroups } from './mapped/demand-own-queues.js';
import { demandSameMapping } from './mapped/demand-same-mapping.js';
import type { Mapping } from './mapped/mapped-topic.js';
import { undeclaredMappings } from './mapped/undeclared-mappings.js';
import type { Names, TopicShape } from './names.js';
import type { Objects } from './objects.js';
import { exchangesOf } from './topology-specs.js';

/** What the broker says to a user without the right. */
const accessRefused = 403;

export interface DeclaringOptions {
  readonly names: Names;
  readonly objects: Objects;
  readonly catalogue: Catalogue;
  readonly gate: DurabilityGate;
  readonly logger: Logger;
  /** Of this process's options, by topic. */
  readonly mappings: Readonly<Record<string, Mapping>>;
}

/** Which topics are mapped, and onto what. */
type MappingOf = (topic: string) => Mapping | null;

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
  #hasTold = false;

  constructor(options: DeclaringOptions) {
    this.#options = options;
  }

  async declare(asked: Topology, options: DeclareOptions): Promise<DeclareReport> {
    const mappingOf: MappingOf = (topic) => this.#mappingOf(topic);
    try {
      if (options.mode === 'check') return await this.#check(asked, options, mappingOf);
      return await this.#carryOut(() => ({ asked, mappingOf }), options);
    } finally {
      // Also where it failed: perhaps because of that.
      this.#tellOfUndeclared(asked);
    }
  }

  /** Once: what is set up again has the same mapping. */
  #tellOfUndeclared(asked: Topology): void {
    if (this.#hasTold) return;
    this.#hasTold = true;
    const { mappings, catalogue, logger } = this.#options;
    const mapped = undeclaredMappings(mappings, asked, catalogue.seen);
    if (mapped.length === 0) return;
    logger.warn(
      { mapped },
      'topics are mapped that neither this queue nor another program has declared; if they are misspelt, those that were meant are not mapped',
    );
  }

  async addGroup(topic: string, group: GroupTopology): Promise<void> {
    await this.#carryOut(
      (content) => {
        const shape = shapeIn(content, topic);
        if (shape === null) throw noTopic(topic);
        return { asked: askedWith(content, topic, group), mappingOf: () => shape.mapping ?? null };
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
        const was = groupIn(content, topicName, group);
        if (topic !== null && was !== null) await this.#options.objects.deleteGroup(topic, group, was);
      },
    );
    await this.#options.catalogue.tell();
  }

  #mappingOf(topic: string): Mapping | null {
    const { mappings } = this.#options;
    return Object.hasOwn(mappings, topic) ? (mappings[topic] ?? null) : null;
  }

  async #check(asked: Topology, options: DeclareOptions, mappingOf: MappingOf): Promise<DeclareReport> {
    const { catalogue, objects } = this.#options;
    const content = await catalogue.refresh();
    demandMappings(content, asked, mappingOf);
    const report = topologyDifferences(topologyOf(content), asked, options);
    const missing: string[] = [];
    for (const { name, groups } of asked.topics) {
      const topic = shapeIn(content, name) as TopicShape;
      missing.push(...(await objects.missingExchanges(topic)).map((exchange) => `exchange "${exchange}"`));
      const queues = groups.flatMap((group) => objects.queuesOf(topic, group.name));
      missing.push(...(await objects.missing(queues)).map((queue) => `queue "${queue}"`));
    }
    if (missing.length > 0) {
      throw new Refusal('not-found', `there is no ${missing.join(', no ')}`, 'declare what is missing: setup()');
    }
    for (const { name, groups } of asked.topics) {
      const topic = shapeIn(content, name) as TopicShape;
      await objects.demandSame(
        topic,
        groups.map((group) => group.name),
      );
    }
    return report;
  }

  async #carryOut(
    ask: (content: CatalogueContent) => { readonly asked: Topology; readonly mappingOf: MappingOf },
    options: DeclareOptions,
  ): Promise<DeclareReport> {
    const { catalogue, gate, names, objects, logger } = this.#options;
    let asked: Topology = { topics: [] };
    let report: DeclareReport = { created: [], changed: [] };
    const content = await this.#enter((before) => {
      const { mappingOf, ...wanted } = ask(before);
      asked = wanted.asked;
      demandMappings(before, asked, mappingOf);
      report = topologyDifferences(topologyOf(before), asked, options);
      return { content: withDeclared(before, asked, report, mappingOf), report };
    });
    const work = asked.topics.flatMap(({ name, groups }) => workOn(content, name, groups));
    const delays = await this.#makeDelays(content, missingDelays(content, asked));
    const made = [...delays.made, ...(await this.#makeGroups(content, asked, work))];
    await gate.untilDurable([names.catalogue, ...made]);
    demandAnswers(names, await objects.unresponsive(delays.doubtfulMs));
    const finished = (now: CatalogueContent): CatalogueContent => withDelays(withFinished(now, work), delays.delaysMs);
    if (finished(catalogue.seen) !== catalogue.seen) await catalogue.change(finished);
    logger.info({ declared: this.#namesOf(content, asked), made }, 'exchanges and queues are as declared');
    return { ...report, created: [...report.created, ...healed(made, work, this.#queuesOf(content, work))] };
  }

  /** Writes what is new into the catalogue. Who may not write it goes on with what is there, if that is all that is asked. */
  async #enter(
    change: (before: CatalogueContent) => { readonly content: CatalogueContent; readonly report: DeclareReport },
  ): Promise<CatalogueContent> {
    const { catalogue, names, logger } = this.#options;
    let report: DeclareReport = { created: [], changed: [] };
    try {
      return await catalogue.change((before) => {
        const changed = change(before);
        report = changed.report;
        return changed.content;
      });
    } catch (error) {
      if (replyCodeOf(error) !== accessRefused) throw error;
      const news = [...report.created, ...report.changed];
      if (news.length > 0) {
        throw new Refusal(
          'denied',
          `there is no ${news.join(', no ')} in "${names.catalogue}", and this user may not declare anything`,
          `give the user the right to configure what begins with "${names.prefix}.", or let somebody who may run setup()`,
        );
      }
      logger.warn(
        { catalogue: names.catalogue },
        'this user may not declare anything here; what is needed was looked for instead',
      );
      return catalogue.seen;
    }
  }

  /** For people who look at the broker: what the topics of this process are called there. */
  #namesOf(content: CatalogueContent, asked: Topology): readonly object[] {
    const { names, objects } = this.#options;
    return asked.topics.map(({ name, groups }) => {
      const topic = shapeIn(content, name) as TopicShape;
      const exchanges = exchangesOf(names, topic);
      return { topic: name, exchanges, queues: groups.flatMap((group) => objects.queuesOf(topic, group.name)) };
    });
  }

  /**
   * With the first topology come the queues that everything delayed goes through. An exact queue that may not be declared is
   * done without: any delay is a sum of others.
   */
  async #makeDelays(
    content: CatalogueContent,
    delaysMs: readonly number[],
  ): Promise<{
    readonly made: readonly string[];
    readonly delaysMs: readonly number[];
    /** Those that were there before. */
    readonly doubtfulMs: readonly number[];
  }> {
    const { objects, names } = this.#options;
    const isFirst = coinDelaysMs.some((ms) => !content.delaysMs.includes(ms));
    const base = isFirst ? await objects.declareBase() : [];
    if (delaysMs.length === 0) return { made: base, delaysMs, doubtfulMs: [] };
    try {
      const doubtfulMs = await objects.declareDelays(delaysMs);
      return { made: [...base, ...delaysMs.map((ms) => names.delay(ms))], delaysMs, doubtfulMs };
    } catch (error) {
      if (isFirst || !(error instanceof Refusal) || error.code !== 'denied') throw error;
      return { made: base, delaysMs: [], doubtfulMs: [] };
    }
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

function demandAnswers(names: Names, unresponsiveMs: readonly number[]): void {
  if (unresponsiveMs.length === 0) return;
  const queues = unresponsiveMs.map((ms) => `"${names.delay(ms)}"`).join(', ');
  throw new Refusal(
    'unavailable',
    `queue ${queues} is there and takes nothing, most likely because the broker was killed while it was declared`,
    'delete it and run setup() again',
  );
}

/** Refuses what cannot be mapped, and what is mapped otherwise already. */
function demandMappings(content: CatalogueContent, asked: Topology, mappingOf: MappingOf): void {
  const mapped: ShapeWithGroups[] = [];
  for (const topic of asked.topics) {
    const mapping = mappingOf(topic.name);
    const there = groupsIn(content, topic.name);
    const shape = shapeIn(content, topic.name);
    // What was never finished may be corrected: its declaration was refused, or whoever made it died on the way.
    const finished = Object.entries(there).filter(([, { unfinished }]) => !unfinished);
    if (shape !== null && finished.length > 0) {
      const names = finished.map(([name]) => name);
      demandSameMapping(topic.name, names, shape.mapping ?? null, mapping);
    }
    if (mapping === null) continue;
    const others = Object.entries(there).filter(([name]) => !topic.groups.some((group) => group.name === name));
    const groups = [...others.map(([name, { patterns }]) => ({ name, patterns })), ...topic.groups];
    demandMappable({ ...topic, groups }, mapping);
    mapped.push({ shape: { ...topic, mapping }, groups: groups.map(({ name }) => name) });
  }
  demandOwnQueues(mapped, topicsBesides(content, asked));
}

function topicsBesides(content: CatalogueContent, { topics }: Topology): readonly ShapeWithGroups[] {
  return Object.entries(content.topics)
    .filter(([name]) => !topics.some((topic) => topic.name === name))
    .map(([name, { groups, ...topic }]) => ({ shape: { name, ...topic }, groups: Object.keys(groups) }));
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
