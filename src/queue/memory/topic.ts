import type { TopicTopology } from '../driver.js';
import type { Group, Shape } from './group.js';
import { IdempotencyKeys } from './idempotency-keys.js';

/** A topic that was declared, with its groups. */
export class Topic {
  readonly groups = new Map<string, Group>();
  readonly idempotencyKeys = new IdempotencyKeys();
  readonly name: string;
  maxRedeliveries: number;
  expectedDelaysMs: readonly number[];
  readonly shape: Shape;

  /** With no groups yet, whatever was declared. */
  constructor(declared: TopicTopology) {
    this.name = declared.name;
    this.shape = { ordering: declared.ordering, lanes: declared.lanes };
    this.maxRedeliveries = declared.maxRedeliveries;
    this.expectedDelaysMs = [...declared.expectedDelaysMs];
  }

  groupsFor(routingKey: string | null): readonly Group[] {
    const accepting: Group[] = [];
    for (const group of this.groups.values()) if (group.accepts(routingKey)) accepting.push(group);
    return accepting;
  }

  topology(): TopicTopology {
    return {
      name: this.name,
      ...this.shape,
      groups: [...this.groups.values()].map((group) => group.topology()).sort(byName),
      maxRedeliveries: this.maxRedeliveries,
      expectedDelaysMs: [...this.expectedDelaysMs],
    };
  }
}

export function byName(one: { readonly name: string }, other: { readonly name: string }): number {
  return one.name < other.name ? -1 : one.name > other.name ? 1 : 0;
}
