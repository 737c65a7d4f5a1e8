import { setMaxListeners } from 'node:events';
import {
  type Clock,
  type DriverAdmin,
  type DriverHost,
  noGroup,
  noTopic,
  type SignsOfUse,
  type SubscribeOptions,
} from '../driver.js';
import { adminOf } from './admin.js';
import { atMost } from './at-most.js';
import { BrokerTime } from './broker-time.js';
import { Catalogue } from './catalogue.js';
import { groupIn, shapeIn } from './catalogue-content.js';
import { Link } from './connection/index.js';
import { consumerTag } from './consumer-tag.js';
import { Declaring } from './declaring.js';
import { Delays } from './delays.js';
import { Draining } from './draining.js';
import { DurabilityGate } from './durability-gate.js';
import { inventory } from './inventory.js';
import { Letters } from './letters.js';
import { Locks } from './lock.js';
import { Mover } from './mover.js';
import { Names } from './names.js';
import { Objects } from './objects.js';
import type { DriverSettings } from './options.js';
import { Pauses } from './pauses.js';
import { Repair } from './repair.js';
import { Sending } from './sending.js';
import { Settling } from './settling.js';
import { AmqpSubscription } from './subscription.js';
import { lanesOf } from './topology-specs.js';

/** How long closing waits for a broker that does not answer: what is in hand then comes again when it misses us. */
const orderlyEndMs = 6_000;

/** Everything that an open driver consists of. */
export interface Client {
  readonly link: Link;
  readonly declaring: Declaring;
  readonly sending: Sending;
  readonly admin: DriverAdmin;
  readonly draining: Draining;
  readonly signsOfUse: () => Promise<SignsOfUse>;
  readonly drainLetters: NonNullable<DriverAdmin['drainLetters']>;
  subscribe(options: SubscribeOptions): Promise<AmqpSubscription>;
  close(): Promise<void>;
}

/** Connects, and puts the parts together. Nothing is declared. */
export async function openClient(settings: DriverSettings, clock: Clock, host: DriverHost): Promise<Client> {
  const { logger } = host;
  const closing = new AbortController();
  setMaxListeners(0, closing.signal); // one per publish that waits until its queue is durable
  const link = new Link(settings.connection, {
    name: settings.connectionName,
    logger,
    emit: (event) => host.emit(event),
    clock,
  });
  await link.open();
  const names = new Names(settings.prefix);
  const gate = new DurabilityGate({ link, clock, closed: closing.signal });
  const locks = new Locks(link, names, clock);
  const time = new BrokerTime(clock);
  const { queueType, dueQueueType } = settings;
  const objects = new Objects({ link, names, gate, queueType, dueQueueType, logger });
  const catalogue = new Catalogue({ link, names, locks, gate, clock, logger });
  const repair = new Repair({ names, catalogue, objects, gate, logger });
  const delays = new Delays({ link, names, objects, catalogue, gate, clock, logger });
  const consumer = settings.connectionName.slice(0, 60);
  const mover = new Mover({ link, names, objects, catalogue, delays, gate, time, clock, logger, consumer });
  // Whoever publishes moves as well, so that what is due is not overtaken where nobody consumes at present.
  const sending = new Sending({ link, names, catalogue, delays, repair, gate, time, onDelayed: () => mover.start() });
  const settling = new Settling({ link, sending, delays, gate });
  const declaring = new Declaring({ names, objects, catalogue, gate, logger, mappings: settings.topics });
  const letters = new Letters({ link, names, locks, catalogue, repair, gate, time });
  const pauses = new Pauses({ link, names, objects, catalogue, clock, logger, consumer });
  const subscriptions = new Set<AmqpSubscription>();
  const leavePauses = new WeakMap<AmqpSubscription, () => void>();

  /** What was deleted under a consumer is made again, unless it was removed. */
  async function demandGroup(topic: string, group: string): Promise<void> {
    if ((await repair.groups(topic, [group])).includes(group)) return;
    throw shapeIn(catalogue.seen, topic) === null ? noTopic(topic) : noGroup(topic, group);
  }

  async function subscribe(options: SubscribeOptions): Promise<AmqpSubscription> {
    const subscription = await read(options, () => pauses.heard());
    // At its close nobody has to be told any more.
    leavePauses.set(subscription, pauses.join(subscription));
    return subscription;
  }

  /** `untilHeard`: what it waits for before it consumes. */
  async function read(options: SubscribeOptions, untilHeard: () => Promise<void>): Promise<AmqpSubscription> {
    const { topic, group } = options;
    const content = await catalogue.refresh();
    const shape = shapeIn(content, topic);
    if (shape === null) throw noTopic(topic);
    if (groupIn(content, topic, group) === null) throw noGroup(topic, group);
    mover.start();
    const queues = lanesOf(shape).map((lane) => names.queue(shape, group, lane));
    logger.info({ topic, group, queues, consumerTag: consumerTag(options.consumer, null) }, 'consumes');
    const subscription = new AmqpSubscription(options, {
      clock,
      settling,
      queues,
      ordered: shape.ordering === 'key',
      attendance: names.attendance(topic, group),
      logger,
      feed: { link, onMissing: () => demandGroup(topic, group), untilHeard },
      onRestored: () => host.emit({ type: 'resubscribed', topic, group, consumer: options.consumer }),
      onClosed: (closed) => {
        leavePauses.get(closed)?.();
        subscriptions.delete(closed);
      },
    });
    subscriptions.add(subscription);
    return subscription;
  }

  async function close(): Promise<void> {
    closing.abort();
    const orderly = Promise.all([
      ...[...subscriptions].map((each) => each.close()),
      mover.close(),
      delays.close(),
      pauses.close(),
    ]);
    await atMost(orderlyEndMs, orderly, clock);
    // Ends whatever still waits for the broker.
    await link.close();
  }

  const draining = new Draining({
    ...{ link, names, objects, catalogue, mover },
    // No pause stops it: it is not among those that are told.
    read: (options) => read(options, async () => {}),
  });
  const fetchedAhead = (topic: string, group: string): number =>
    [...subscriptions].reduce((sum, each) => sum + each.waitingIn(topic, group), 0);
  const objectsNow = (): ReturnType<typeof inventory> => inventory({ link, names, catalogue, queueType, dueQueueType });
  const admin = {
    ...adminOf({ names, objects, catalogue, declaring, letters, repair, pauses, fetchedAhead }),
    objects: objectsNow,
  };
  const drainLetters: Client['drainLetters'] = (...drained) => letters.drain(...drained);
  /** Who delivers what falls due may be this process, and consumes no group. */
  const signsOfUse = async (): Promise<SignsOfUse> => {
    const consumed = (await objectsNow()).filter(
      ({ name, needsConsumer, consumers }) => needsConsumer && name !== names.due && (consumers ?? 0) > 0,
    );
    return { others: consumed.map(({ name }) => `queue "${name}" is consumed`), counter: null };
  };
  return { link, declaring, sending, admin, draining, drainLetters, signsOfUse, subscribe, close };
}
