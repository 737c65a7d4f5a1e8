import {
  type DeadTarget,
  matches,
  noGroup,
  noTopic,
  Refusal,
  type Send,
  type SendResult,
  type StoredMessage,
  unroutable,
} from '../driver.js';
import { type AnswerPlace, BatchAnswers } from './batch-answers.js';
import type { BrokerTime } from './broker-time.js';
import type { Catalogue } from './catalogue.js';
import { type CatalogueContent, groupIn, groupsIn, shapeIn } from './catalogue-content.js';
import { classify, type Link, type Publication } from './connection/index.js';
import type { Delays } from './delays.js';
import type { Destination } from './destination.js';
import type { DurabilityGate } from './durability-gate.js';
import { encodeLetter, encodeLightLetter } from './letter-coding.js';
import { mappedAddress } from './mapped/mapped-address.js';
import { reaches } from './mapped/mapped-bindings.js';
import { mappingOfGroup } from './mapped/mapping-of-group.js';
import { asJson, copyOf, type EncodedMessage, encodeMessage, inLane } from './message-coding.js';
import type { Names, TopicShape } from './names.js';
import type { Repair } from './repair.js';

export interface SendingOptions {
  readonly link: Link;
  readonly names: Names;
  readonly catalogue: Catalogue;
  readonly delays: Delays;
  readonly repair: Repair;
  readonly gate: DurabilityGate;
  readonly time: BrokerTime;
  /** Something was sent with a delay. */
  readonly onDelayed: () => void;
}

/** With the message that it is the letter of: of a foreign one, `message` says the least part. */
export interface Sent extends Send {
  readonly arrived?: Parameters<typeof copyOf>[0];
}

/** The usual answer. An exchange tells whether some group took a message, not how many. */
const stored: SendResult = Object.freeze({ status: 'stored', groups: null });
const storedInOne: SendResult = Object.freeze({ status: 'stored', groups: 1 });

/** How what is sent gets to where it belongs. */
export class Sending {
  readonly #options: SendingOptions;

  constructor(options: SendingOptions) {
    this.#options = options;
  }

  /**
   * One confirm per entry, all under way at once but for those of one key: the next one of a key is not written before the
   * one before it was confirmed, since it must not be stored if that one is not.
   */
  send(batch: readonly Sent[]): Promise<readonly SendResult[]> {
    if (batch.length === 0) return Promise.resolve([]);
    return new Promise((resolve) => {
      const answers = new BatchAnswers(batch.length, resolve);
      const lines = new Map<string, Promise<SendResult>>();
      for (const [index, send] of batch.entries()) {
        const place = answers.place(index);
        if (send.message.key === null) this.#start(send, place);
        else this.#startInLine(lines, send, place);
      }
    });
  }

  #startInLine(lines: Map<string, Promise<SendResult>>, send: Sent, place: AnswerPlace): void {
    const line = `${send.message.topic}\0${send.message.key}`;
    const before = lines.get(line);
    lines.set(line, place.given());
    if (before === undefined) {
      this.#start(send, place);
      return;
    }
    void before.then(({ status }) => {
      if (status === 'failed') place.give(overtaking(send));
      else this.#start(send, place);
    });
  }

  #start(send: Sent, place: AnswerPlace): void {
    const { topic: name } = send.message;
    const topic = shapeIn(this.#options.catalogue.seen, name);
    if (topic === null) {
      this.#lookUp(name).then(
        (found) => this.#startIn(found, send, place),
        (error) => place.give({ status: 'failed', error }),
      );
    } else {
      this.#startIn(topic, send, place);
    }
  }

  /** Without a promise for what goes straight to its topic, as nearly everything does. */
  #startIn(topic: TopicShape, send: Sent, place: AnswerPlace): void {
    if (send.target.kind !== 'topic' || send.delayMs > 0 || send.lane >= topic.lanes) {
      place.giveLater(this.#store(topic, send));
      return;
    }
    let publication: Publication;
    try {
      publication = this.#toTopic(topic, send);
    } catch (error) {
      place.give({ status: 'failed', error });
      return;
    }
    this.#options.link.publishWith(publication, (error) => {
      if (error === null && this.#isDurable(topic, publication)) place.give(stored);
      else if (error === null) place.giveLater(this.#durable(topic, publication));
      else if (isNowhere(error)) place.giveLater(this.#again(topic, send, publication));
      else place.give({ status: 'failed', error });
    });
  }

  async #store(topic: TopicShape, send: Sent): Promise<SendResult> {
    const { target, message } = send;
    if (send.lane >= topic.lanes) throw noLane(topic, send.lane);
    if (send.delayMs > 0) this.#options.onDelayed();
    if (target.kind === 'topic') return this.#later(topic, send);
    if (target.kind === 'dead') return this.#bury(topic, send, target);
    if (send.delayMs > 0) return this.#laterToGroup(topic, send, target.group);
    const queue = this.#options.names.queue(topic, target.group, send.lane);
    return this.#toQueue(topic, target.group, queue, encodeMessage(message, send.lane, send.counts));
  }

  /** Not among those that this process knows: perhaps somebody else has declared it. */
  async #lookUp(name: string): Promise<TopicShape> {
    const topic = shapeIn(await this.#options.catalogue.refresh(), name);
    if (topic === null) throw noTopic(name);
    return topic;
  }

  #toTopic(topic: TopicShape, { message, lane, counts }: Send): Publication {
    const { names, catalogue } = this.#options;
    const { body, properties } = encodeMessage(message, lane, counts);
    if (topic.mapping) {
      const address = mappedAddress(names, topic, topic.mapping, groupsIn(catalogue.seen, topic.name), message);
      return { ...address, body, properties: asJson(properties) };
    }
    return { exchange: names.exchange(topic, lane), routingKey: message.routingKey ?? '', body, properties };
  }

  /** Nobody got it: either nobody wants it, or somebody has deleted what was declared. */
  async #again(topic: TopicShape, send: Sent, publication: Publication): Promise<SendResult> {
    const accepting = await this.#accepting(send.message, true);
    if (accepting.length === 0) return unmatched(send);
    await this.#options.repair.groups(topic.name, accepting);
    await this.#options.link.publish(publication);
    return this.#durable(topic, publication);
  }

  /** Whether its confirm means what it says: it may lead to a queue that was just declared again, or is being declared by somebody else. */
  #isDurable(topic: TopicShape, { exchange }: Publication): boolean {
    const { gate, catalogue } = this.#options;
    return gate.isDurable(exchange) && !catalogue.isGrowing(topic.name);
  }

  async #durable(topic: TopicShape, { exchange }: Publication): Promise<SendResult> {
    const { gate, catalogue } = this.#options;
    if (!gate.isDurable(exchange)) await gate.untilDurable([exchange]);
    if (catalogue.isGrowing(topic.name)) await catalogue.untilGrown(topic.name);
    return stored;
  }

  async #later(topic: TopicShape, send: Sent): Promise<SendResult> {
    const { message, lane, counts, delayMs } = send;
    const groups = await this.#accepting(message, false);
    if (groups.length === 0) return unmatched(send);
    const { names, catalogue, delays } = this.#options;
    const { body, properties } = encodeMessage(message, lane, counts);
    const address = topic.mapping
      ? mappedAddress(names, topic, topic.mapping, groupsIn(catalogue.seen, topic.name), message)
      : { exchange: names.exchange(topic, lane), routingKey: message.routingKey ?? '' };
    const encoded = { body, properties: topic.mapping ? asJson(properties) : properties };
    await delays.send(encoded, { restMs: delayMs, destination: { ...address, topic: topic.name, groups } });
    return stored;
  }

  async #laterToGroup(topic: TopicShape, send: Sent, group: string): Promise<SendResult> {
    const { message, lane, counts, delayMs } = send;
    const { catalogue, names, delays } = this.#options;
    if (groupIn(catalogue.seen, topic.name, group) === null && !(await this.#exists(topic.name, group))) {
      throw noGroup(topic.name, group);
    }
    const routingKey = names.queue(topic, group, lane);
    const destination: Destination = { exchange: '', routingKey, topic: topic.name, groups: [group] };
    await delays.send(encodeMessage(message, lane, counts), { restMs: delayMs, destination });
    return storedInOne;
  }

  async #bury(topic: TopicShape, { message, lane, counts, arrived }: Sent, target: DeadTarget): Promise<SendResult> {
    const { group, death, expireAfterMs } = target;
    const { names, time } = this.#options;
    const burial = { topic: topic.name, group, death, expireAfterMs, buriedAt: time.now() };
    const buried = arrived === undefined ? encodeMessage(message, lane, counts) : inLane(copyOf(arrived, counts), lane);
    const queue = names.dead(topic, group);
    try {
      return await this.#toQueue(topic, group, queue, encodeLetter(buried, burial));
    } catch (error) {
      if (classify(error).code !== 'payload-too-large') throw error;
      return this.#toQueue(topic, group, queue, encodeLightLetter(buried, burial));
    }
  }

  async #toQueue(topic: TopicShape, group: string, queue: string, message: EncodedMessage): Promise<SendResult> {
    const { link, gate, repair } = this.#options;
    const publication = { exchange: '', routingKey: queue, body: message.body, properties: message.properties };
    try {
      await link.publish(publication);
    } catch (error) {
      if (!isNowhere(error)) throw error;
      if (!(await this.#exists(topic.name, group))) throw noGroup(topic.name, group);
      await repair.groups(topic.name, [group]);
      await link.publish(publication);
    }
    if (!gate.isDurable(queue)) await gate.untilDurable([queue]);
    return storedInOne;
  }

  async #exists(topic: string, group: string): Promise<boolean> {
    return groupIn(await this.#options.catalogue.refresh(), topic, group) !== null;
  }

  /** The groups that take a message, looked up once more where none of those that are known does. */
  async #accepting(message: StoredMessage, anew: boolean): Promise<readonly string[]> {
    const { catalogue } = this.#options;
    const known = anew ? [] : acceptingIn(catalogue.seen, message);
    return known.length > 0 ? known : acceptingIn(await catalogue.refresh(), message);
  }
}

function acceptingIn(content: CatalogueContent, message: StoredMessage): readonly string[] {
  const { topic, routingKey } = message;
  const mapping = shapeIn(content, topic)?.mapping ?? null;
  const accepts = (group: string, patterns: readonly string[]): boolean => {
    const mapped = mapping === null ? null : mappingOfGroup(mapping, group);
    if (mapping === null || mapped === null) return patterns.some((pattern) => matches(pattern, routingKey));
    return reaches(mapping, mapped, patterns, message);
  };
  return Object.entries(groupsIn(content, topic))
    .filter(([group, { patterns }]) => accepts(group, patterns))
    .map(([group]) => group);
}

/** Returned, or its exchange is missing. */
function isNowhere(error: unknown): boolean {
  const { code } = classify(error);
  return code === 'unroutable' || code === 'not-found';
}

function unmatched({ message, unmatched }: Send): SendResult {
  if (unmatched === 'discard') return { status: 'stored', groups: 0 };
  throw unroutable(message.topic, message.routingKey);
}

function overtaking({ message: { topic, key } }: Send): SendResult {
  const subject = `an earlier message of key "${key}" in this batch to topic "${topic}" was not stored`;
  return { status: 'failed', error: new Refusal('conflict', subject, 'send it again after that one') };
}

function noLane({ name, lanes }: TopicShape, lane: number): Refusal {
  return new Refusal(
    'topology-mismatch',
    `topic "${name}" exists with lanes ${lanes}, and a message is for lane ${lane}`,
    'declare the topic as it is, or use a new one',
  );
}
