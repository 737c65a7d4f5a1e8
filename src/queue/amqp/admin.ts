import { type Depth, type DriverAdmin, noGroup, noTopic } from '../driver.js';
import type { Catalogue } from './catalogue.js';
import { groupIn, shapeIn, topologyOf } from './catalogue-content.js';
import { replyCodeOf } from './connection/index.js';
import type { Declaring } from './declaring.js';
import type { Letters } from './letters.js';
import type { Names } from './names.js';
import type { Objects } from './objects.js';
import type { Pauses } from './pauses.js';
import type { Repair } from './repair.js';

export interface AdminOptions {
  readonly names: Names;
  readonly objects: Objects;
  readonly catalogue: Catalogue;
  readonly declaring: Declaring;
  readonly letters: Letters;
  readonly repair: Repair;
  readonly pauses: Pauses;
  /** How many messages of a group the readers of this process were pushed and have not received. */
  readonly fetchedAhead: (topic: string, group: string) => number;
}

/** See `DriverAdmin`. Looks into the broker each time. */
export function adminOf(options: AdminOptions): DriverAdmin {
  const { names, objects, catalogue, declaring, letters, repair, pauses, fetchedAhead } = options;

  async function depth(topicName: string, group: string): Promise<Depth> {
    const content = await catalogue.refresh();
    const topic = shapeIn(content, topicName);
    if (topic === null) throw noTopic(topicName);
    const there = groupIn(content, topicName, group);
    if (there === null) throw noGroup(topicName, group);
    const dead = names.dead(topic, group);
    const waiting = objects.queuesOf(topic, group).filter((queue) => queue !== dead);
    const count = async (): Promise<Depth> => ({
      // What readers of other processes were pushed is in their hands, as far as anybody can tell.
      ready: (await objects.ready(waiting)) + fetchedAhead(topicName, group),
      dead: await objects.ready([dead]),
      // AMQP tells of no queue how much of it is unacked, how old it is, or for whom it is.
      delayed: null,
      inHand: null,
      oldestAgeMs: null,
      paused: there.paused ?? false,
    });
    try {
      return await count();
    } catch (error) {
      if (replyCodeOf(error) !== 404) throw error;
      await repair.groups(topicName, [group]);
      return count();
    }
  }

  return {
    depth,
    topics: async () => topologyOf(await catalogue.refresh()),
    addGroup: (topic, group) => declaring.addGroup(topic, group),
    removeGroup: (topic, group) => declaring.removeGroup(topic, group),
    pause: (topic, group) => pauses.pause(topic, group),
    resume: (topic, group) => pauses.resume(topic, group),
    letters: (box, page) => letters.list(box, page),
    redrive: (box, ids) => letters.redrive(box, ids),
    purge: (box, ids) => letters.purge(box, ids),
  };
}
