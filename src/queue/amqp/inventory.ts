import type { BackendObject } from '../driver.js';
import type { Catalogue } from './catalogue.js';
import { type CatalogueContent, groupsIn, shapeIn } from './catalogue-content.js';
import { type Link, replyCodeOf } from './connection/index.js';
import { isThere } from './declare-objects.js';
import type { Names } from './names.js';
import type { BindingSpec, ExchangeSpec, ObjectSpec, QueueSpec } from './object-spec.js';
import {
  baseSpecs,
  bindingSpecs,
  catalogueSpecs,
  delaySpecs,
  exchangeSpecs,
  type QueueTypes,
  queueSpecs,
} from './topology-specs.js';

export interface InventoryOptions extends QueueTypes {
  readonly link: Link;
  readonly names: Names;
  readonly catalogue: Catalogue;
}

/** What belongs to one thing that a reader of the list knows. */
interface Share {
  readonly purpose: string;
  readonly specs: readonly ObjectSpec[];
  /** The queues that somebody has to consume. */
  readonly consumed: ReadonlySet<string>;
}

/** All exchanges and queues of what is declared, as they are declared, and what the broker says of them. */
export async function inventory(options: InventoryOptions): Promise<readonly BackendObject[]> {
  const content = await options.catalogue.refresh();
  const objects = new Map<string, BackendObject>();
  for (const { purpose, specs, consumed } of shares(options, content)) {
    const bindings = specs.filter((spec) => spec.kind === 'binding' && !spec.undo) as readonly BindingSpec[];
    for (const spec of specs) {
      if (spec.kind === 'binding') continue;
      const key = `${spec.kind} ${spec.name}`;
      const before = objects.get(key);
      const seen = before ?? (await look(options.link, spec));
      objects.set(key, {
        ...seen,
        purpose: before === undefined ? purpose : `${before.purpose}; ${purpose}`,
        needsConsumer: consumed.has(spec.name) || before?.needsConsumer === true,
        bindings: [
          ...seen.bindings,
          ...bindings.filter(({ queue }) => spec.kind === 'queue' && queue === spec.name).map(shown),
        ],
      });
    }
  }
  return [...objects.values()];
}

function shares({ names, ...types }: InventoryOptions, content: CatalogueContent): readonly Share[] {
  if (Object.keys(content.topics).length === 0) return [];
  const none: ReadonlySet<string> = new Set();
  const ours: readonly Share[] = [
    { purpose: 'what is declared', specs: catalogueSpecs(names), consumed: none },
    { purpose: 'delayed and lost messages', specs: baseSpecs(names, types), consumed: new Set([names.due]) },
    ...content.delaysMs.map((ms) => ({
      purpose: `delays of ${ms} ms`,
      specs: delaySpecs(names, [ms]),
      consumed: none,
    })),
  ];
  return [
    ...Object.keys(content.topics)
      .sort()
      .flatMap((topic) => sharesOf(names, types, content, topic)),
    ...ours,
  ];
}

function sharesOf(names: Names, types: QueueTypes, content: CatalogueContent, name: string): readonly Share[] {
  const topic = shapeIn(content, name);
  if (topic === null) return [];
  const groups = Object.entries(groupsIn(content, name)).map(([group, was]) => {
    const queues = queueSpecs(names, types, topic, group);
    const dead = names.dead(topic, group);
    const waiting = queues.filter((spec) => spec.kind === 'queue' && spec.name !== dead) as readonly QueueSpec[];
    return {
      purpose: `group "${group}" of topic "${name}"`,
      specs: [...queues, ...bindingSpecs(names, topic, group, { patterns: was.patterns, dropped: [] })],
      consumed: new Set(waiting.map((spec) => spec.name)),
    };
  });
  return [{ purpose: `topic "${name}"`, specs: exchangeSpecs(names, topic), consumed: new Set() }, ...groups];
}

async function look(link: Link, spec: ExchangeSpec | QueueSpec): Promise<BackendObject> {
  const { kind, name, arguments: args } = spec;
  const about = { kind, name, arguments: args, purpose: '', bindings: [], needsConsumer: false };
  if (kind === 'exchange') {
    return { ...about, type: spec.type, exists: await isThere(link, spec), ready: null, consumers: null };
  }
  const type = String(args['x-queue-type'] ?? 'classic');
  try {
    const answer = await link.withChannel(`look for queue "${name}"`, (channel) => channel.checkQueue(name));
    return { ...about, type, exists: true, ready: answer.messageCount, consumers: answer.consumerCount };
  } catch (error) {
    // Exclusive to another connection: there, and nobody else is told more.
    if (replyCodeOf(error) === 405) return { ...about, type, exists: true, ready: null, consumers: null };
    if (replyCodeOf(error) !== 404) throw error;
    return { ...about, type, exists: false, ready: null, consumers: null };
  }
}

function shown({ exchange, routingKey, arguments: args }: BindingSpec): BackendObject['bindings'][number] {
  return { exchange, routingKey, arguments: args };
}
