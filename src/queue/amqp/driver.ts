import {
  type Capabilities,
  type Classification,
  type Clock,
  type DeclareOptions,
  type DeclareReport,
  type Driver,
  type DriverAdmin,
  type DriverHealth,
  type DriverHost,
  type DriverSubscription,
  Refusal,
  type Send,
  type SendResult,
  type SubscribeOptions,
  systemClock,
  type Topology,
} from '../driver.js';
import { capabilitiesWith } from './capabilities.js';
import { type Client, openClient } from './client.js';
import { classify } from './connection/index.js';
import type { DriverSettings } from './options.js';

/** See `Driver`: RabbitMQ 3.10 to 4.x over AMQP 0-9-1, without plugins. */
export class AmqpDriver implements Driver {
  readonly name = 'amqp';
  readonly clock = null;
  readonly capabilities: Capabilities;
  readonly admin: DriverAdmin;
  readonly #settings: DriverSettings;
  readonly #clock: Clock;
  #client: Client | null = null;
  #state: 'new' | 'open' | 'closed' = 'new';
  #closing: Promise<void> | null = null;

  constructor(settings: DriverSettings) {
    this.#settings = settings;
    this.#clock = settings.clock ?? systemClock;
    this.capabilities = capabilitiesWith(settings.queueType);
    this.admin = {
      topics: async () => this.#open.admin.topics(),
      addGroup: async (topic, group) => this.#open.admin.addGroup(topic, group),
      removeGroup: async (topic, group) => this.#open.admin.removeGroup(topic, group),
      depth: async (topic, group) => this.#open.admin.depth(topic, group),
      drain: async (topic, group, max, keep) => this.#open.draining.drain(topic, group, max, keep),
      drainLetters: async (topic, group, max, keep) => this.#open.drainLetters(topic, group, max, keep),
      signsOfUse: async () => this.#open.signsOfUse(),
      inTransit: async () => this.#open.draining.inTransit(),
      pause: async (topic, group) => this.#open.admin.pause(topic, group),
      resume: async (topic, group) => this.#open.admin.resume(topic, group),
      letters: async (box, page) => this.#open.admin.letters(box, page),
      redrive: async (box, ids) => this.#open.admin.redrive(box, ids),
      purge: async (box, ids) => this.#open.admin.purge(box, ids),
      objects: async () => (await this.#open.admin.objects?.()) ?? [],
    };
  }

  async open(host: DriverHost): Promise<void> {
    if (this.#state !== 'new') throw new Refusal('invalid', 'this driver was opened before', 'make a new one');
    this.#state = 'open';
    const client = await openClient(this.#settings, this.#clock, host);
    // Closed while it was being opened.
    if (this.#closing !== null) return client.close();
    this.#client = client;
  }

  async declare(topology: Topology, options: DeclareOptions): Promise<DeclareReport> {
    return this.#open.declaring.declare(topology, options);
  }

  async send(batch: readonly Send[], within?: unknown): Promise<readonly SendResult[]> {
    const { sending } = this.#open;
    if (within !== undefined) {
      throw new Refusal('unsupported', 'RabbitMQ takes part in no transaction of yours', 'use a SQL backend');
    }
    return sending.send(batch);
  }

  async subscribe(options: SubscribeOptions): Promise<DriverSubscription> {
    return this.#open.subscribe(options);
  }

  classify(error: unknown): Classification {
    return classify(error);
  }

  health(): DriverHealth {
    const link = this.#client?.link;
    return { connected: link?.connected ?? false, blocked: link?.blocked ?? null };
  }

  close(): Promise<void> {
    this.#state = 'closed';
    this.#closing ??= this.#client?.close() ?? Promise.resolve();
    return this.#closing;
  }

  get #open(): Client {
    if (this.#client !== null && this.#state === 'open') return this.#client;
    const what = this.#state === 'closed' ? 'closed' : 'not open';
    throw new Refusal('closed', `the driver is ${what}`, this.#state === 'closed' ? 'make a new one' : 'open it first');
  }
}
