import { openSqliteTables } from '../../sql/open-sqlite-tables.js';
import { classifySqlite } from '../../sql/sqlite-errors.js';
import type {
  Capabilities,
  Classification,
  Clock,
  DeclareOptions,
  DeclareReport,
  Driver,
  DriverAdmin,
  DriverHealth,
  DriverHost,
  DriverSubscription,
  Send,
  SendResult,
  SubscribeOptions,
  Topology,
} from '../driver.js';
import { RecentSends } from '../driver.js';
import { adminOf } from './admin.js';
import { capabilitiesWith } from './capabilities.js';
import type { Catalogue } from './catalogue.js';
import { Client } from './client.js';
import { declare } from './declaring.js';
import { tidy } from './expiring.js';
import { queueMigrationList } from './migrations/index.js';
import type { SqliteSettings } from './options.js';
import { Presence } from './presence.js';
import { QueueFile } from './queue-file.js';
import { sendBatch } from './sending.js';
import { SqliteSubscription } from './subscription.js';
import { sendWithin } from './transaction.js';

/** Whatever is written is tried again until its deadline, and goes on when there is room. */
const noRoom = 'the disk has no room for the file: make some';

/** The driver of one file. `kill` is for tests: ends it as `kill -9` ends a process, but that its file is let go. */
export class SqliteDriver implements Driver {
  readonly name = 'sqlite';
  readonly capabilities: Capabilities;
  readonly clock: Clock | null;
  readonly admin: DriverAdmin;
  readonly #settings: SqliteSettings;
  readonly #client: Client;
  readonly #subscriptions = new Set<SqliteSubscription>();
  readonly #recentSends = new RecentSends();
  #presence: Presence | null = null;
  #stopListening: () => void = () => {};
  #closed: Promise<void> | null = null;

  constructor(settings: SqliteSettings) {
    this.#settings = settings;
    this.clock = settings.givenClock;
    this.capabilities = capabilitiesWith(settings.leaseMs);
    this.#client = new Client(settings.path, settings.clock, settings.now, settings.leaseMs);
    this.admin = adminOf(this.#client);
  }

  open(host: DriverHost): Promise<void> {
    return this.#client.open(async () => {
      const list = queueMigrationList(this.#settings.tablePrefix);
      const file = new QueueFile(await openSqliteTables(this.#settings, list));
      try {
        this.#presence = new Presence(file, (there) => {
          for (const subscription of this.#subscriptions) subscription.heed(there);
        });
        await this.#presence.probe();
        this.#listenTo(file, host);
        return file;
      } catch (error) {
        this.#presence?.stop();
        file.tables.file.leave();
        throw error;
      }
    });
  }

  declare(topology: Topology, options: DeclareOptions): Promise<DeclareReport> {
    return this.#client.run(() => {
      const { file, now } = this.#client;
      const declaring = (there: Catalogue) => declare(there, topology, options, now());
      return options.mode === 'check' ? file.read(declaring) : file.write(declaring);
    });
  }

  send(batch: readonly Send[], within?: unknown): Promise<readonly SendResult[]> {
    return this.#client.run(async () => {
      const { file } = this.#client;
      const known = batch.map((send) => this.#recentSends.find(send.nonce));
      const fresh = batch.filter((_, index) => known[index] === undefined);
      const results = await (within === undefined
        ? file.write((catalogue) => sendBatch(fresh, catalogue, this.#client.now()))
        : sendWithin(within, { ...this.#settings, tables: file.tables }, fresh, this.#client.now));
      for (const [index, result] of results.entries()) {
        const send = fresh[index];
        // In a caller's transaction nothing is repeated, and what it rolls back was never stored.
        if (send && within === undefined && result.status !== 'failed') this.#recentSends.remember(send.nonce, result);
      }
      const answers = results.values();
      return known.map((result) => result ?? (answers.next().value as SendResult));
    });
  }

  subscribe(options: SubscribeOptions): Promise<DriverSubscription> {
    return this.#client.run(async () => {
      const presence = this.#presence as Presence;
      const subscription = new SqliteSubscription(this.#client, { ...options, presence }, (ended) =>
        this.#subscriptions.delete(ended),
      );
      // Before it looks, so that it is told of what comes after the look.
      this.#subscriptions.add(subscription);
      try {
        const there = await this.#client.file.catalogue();
        // An unknown topic or group is told now.
        there.group(options.topic, options.group);
        subscription.heed(there);
      } catch (error) {
        await subscription.leave();
        throw error;
      }
      return subscription;
    });
  }

  classify(error: unknown): Classification {
    return classifySqlite(error);
  }

  health(): DriverHealth {
    if (!this.#client.isOpen) return { connected: false, blocked: null };
    const { isGone, isFull } = this.#client.file.tables.file;
    return { connected: !isGone, blocked: isFull ? noRoom : null };
  }

  close(): Promise<void> {
    if (this.#client.isKilled) return this.#client.run(() => {});
    this.#closed ??= this.#close();
    return this.#closed;
  }

  kill(): void {
    if (!this.#client.isOpen) return;
    const { file } = this.#client;
    this.#client.kill();
    this.#presence?.stop();
    this.#stopListening();
    for (const subscription of this.#subscriptions) subscription.forget();
    file.tables.file.leave();
  }

  #listenTo(file: QueueFile, host: DriverHost): void {
    const stopTidying = file.tables.file.onProbe(() => void tidy(file, this.#client.now()).catch(() => {}));
    const stopWatching = file.tables.file.onGone((refusal) => {
      host.logger.warn({ backend: this.name, code: refusal.code }, `${refusal.message}; ${refusal.remedy}`);
      host.emit({ type: 'disconnected', cause: refusal });
    });
    const stopMeasuring = file.tables.file.onFull((full) =>
      host.emit(full ? { type: 'blocked', reason: noRoom } : { type: 'unblocked' }),
    );
    this.#stopListening = () => {
      stopTidying();
      stopWatching();
      stopMeasuring();
    };
  }

  async #close(): Promise<void> {
    if (!this.#client.isOpen) {
      this.#client.close();
      return;
    }
    const { file } = this.#client;
    try {
      await Promise.all([...this.#subscriptions].map((subscription) => subscription.leave()));
      await this.#presence?.leave();
    } finally {
      this.#client.close();
      this.#stopListening();
      file.tables.file.leave();
    }
  }
}
