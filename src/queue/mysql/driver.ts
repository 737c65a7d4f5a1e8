import { createPool } from 'mysql2';
import { type MysqlDatabase, mysqlDatabase } from '../../sql/mysql-database.js';
import { classifyMysql } from '../../sql/mysql-errors.js';
import { mysqlSchema } from '../../sql/mysql-schema.js';
import { requireSchema } from '../../sql/require-schema.js';
import {
  type Capabilities,
  type Classification,
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
  type Topology,
} from '../driver.js';
import { MysqlAdmin } from './admin.js';
import { callersLink } from './callers-link.js';
import { capabilitiesWith, statementBytesOf } from './capabilities.js';
import { Catalogue, readTopics } from './catalogue.js';
import { Claimer } from './claimer.js';
import type { Context } from './context.js';
import { declareTopology } from './declaring.js';
import { Holds } from './hold.js';
import { Housekeeping } from './housekeeping.js';
import { BorrowedConnections } from './kysely-link.js';
import { Life } from './life.js';
import { type Link, type LinkSource, longestLockWaitSeconds, silenceSecondsOf } from './link.js';
import { queueMigrationList } from './migrations/index.js';
import type { CheckedOptions } from './options.js';
import { OwnConnections } from './own-link.js';
import { Pauses } from './pauses.js';
import { Prober } from './prober.js';
import { Sending } from './sending.js';
import { Session } from './session.js';
import { SessionPool } from './session-pool.js';
import { Settler } from './settler.js';
import { text } from './sql-values.js';
import { statementsOn } from './statements.js';
import { type Desk, MysqlSubscription } from './subscription.js';
import { tablesWith } from './tables.js';
import { Wakes } from './wakes.js';

/** What exists while the driver is open. */
interface Running extends Desk {
  readonly sending: Sending;
  readonly prober: Prober;
  readonly pauses: Pauses;
  readonly housekeeping: Housekeeping;
  readonly life: Life;
}

/** See `Driver`. MySQL 8.0 and MariaDB 10.6, and what is newer. */
export class MysqlDriver implements Driver {
  readonly name = 'mysql';
  readonly clock = null;
  readonly admin: DriverAdmin;
  readonly #options: CheckedOptions;
  readonly #subscriptions = new Set<MysqlSubscription>();
  #capabilities: Capabilities;
  #state: 'not open' | 'opening' | 'open' | 'closed' = 'not open';
  #running: Running | null = null;
  #closing: Promise<void> | null = null;

  constructor(options: CheckedOptions) {
    this.#options = options;
    this.#capabilities = capabilitiesWith(options.leaseMs, options.connections);
    this.admin = new MysqlAdmin(
      () => this.#open().context,
      () => this.#open().pauses,
    );
  }

  get capabilities(): Capabilities {
    return this.#capabilities;
  }

  async open(host: DriverHost): Promise<void> {
    if (this.#state !== 'not open') {
      throw new Refusal('invalid', 'this mysql driver was opened before', 'make a new driver to open it again');
    }
    this.#state = 'opening';
    try {
      this.#running = await this.#start(host);
      this.#state = 'open';
    } catch (error) {
      this.#state = 'closed';
      throw isUnknownDatabase(error) ? noDatabase(error) : error;
    }
  }

  async declare(topology: Topology, options: DeclareOptions): Promise<DeclareReport> {
    const { senders, tables, catalogue } = this.#open().context;
    const report = await senders.transact((link) => declareTopology(link, tables, topology, options));
    await catalogue.refresh();
    return report;
  }

  async send(batch: readonly Send[], within?: unknown): Promise<readonly SendResult[]> {
    const { sending, prober } = this.#open();
    if (within === undefined) return sending.send(batch);
    const results = await sending.sendWithin(await callersLink(within), batch);
    // Nobody will tell of the commit.
    prober.quicken();
    return results;
  }

  async subscribe(options: SubscribeOptions): Promise<DriverSubscription> {
    const running = this.#open();
    const { catalogue, claiming, quick } = running.context;
    await catalogue.group(options.topic, options.group);
    await Promise.all([claiming.warm(), quick.warm(), running.life.ready()]);
    const subscription = new MysqlSubscription(this.#open(), options);
    this.#subscriptions.add(subscription);
    try {
      await subscription.begin();
    } catch (error) {
      await subscription.close();
      throw error;
    }
    return subscription;
  }

  classify(error: unknown): Classification {
    return classifyMysql(error);
  }

  health(): DriverHealth {
    return { connected: this.#running?.life.connected ?? false, blocked: null };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const running = this.#running;
    this.#state = 'closed';
    if (running === null) return;
    const { context, claimer, prober, settler, life, housekeeping } = running;
    await Promise.all([prober.close(), claimer.close(), housekeeping.close()]);
    await Promise.all([...this.#subscriptions].map((subscription) => subscription.close()));
    await settler.idle();
    await life.end(!claimer.hasForsaken);
    context.wakes.close();
    await Promise.all([context.senders, context.quick, context.claiming, context.settling].map((each) => each.close()));
    this.#running = null;
  }

  /** Throws a `closed` refusal unless the driver is open. */
  #open(): Running {
    if (this.#state === 'open' && this.#running !== null) return this.#running;
    throw new Refusal(
      'closed',
      `the mysql driver is ${this.#state}`,
      'open a driver, and close it when nothing uses it any more',
    );
  }

  async #start(host: DriverHost): Promise<Running> {
    const { leaseMs, connections, tablePrefix } = this.#options;
    await this.#checkSchema();
    const source = this.#source();
    const tables = tablesWith(tablePrefix);
    const lost = (cause: unknown): void =>
      host.logger.warn({ cause }, 'a connection to the database was lost; making another');
    const silenceSeconds = silenceSecondsOf(leaseMs);
    const session = (autocommit: boolean): Session => {
      // One row that a stranger has locked must not stop what goes over the same connection.
      const made = new Session(source, { autocommit, lockWaitSeconds: 1, silenceSeconds });
      made.onLost = lost;
      return made;
    };
    const sending = { autocommit: true, lockWaitSeconds: longestLockWaitSeconds, silenceSeconds };
    const senders = new SessionPool(source, sending, connections, lost);
    const [quick, claiming, settling, living] = [session(true), session(false), session(false), session(true)];
    let wakes: Wakes | null = null;
    try {
      const { maxPacketBytes, queue } = await senders.run((link) => serverFacts(link, tablePrefix));
      this.#capabilities = capabilitiesWith(leaseMs, connections, maxPacketBytes);
      const catalogue = new Catalogue(() => senders.run((link) => readTopics(link, tables)));
      wakes = new Wakes(queue, (box, inMs) => claimer.wake(box, inMs));
      const context: Context = {
        ...{ tables, catalogue, leaseMs, senders, quick, claiming, settling },
        statements: statementsOn(tables),
        logger: host.logger,
        statementBytes: statementBytesOf(maxPacketBytes),
        wakes,
      };
      const life = new Life(context, living, host);
      const claimer = new Claimer(context, () => life.nextToken());
      const pauses = new Pauses(context, claimer, life);
      life.onLook = () => pauses.look();
      await catalogue.refresh();
      await life.begin();
      return {
        ...{ context, claimer, life },
        holds: new Holds(),
        settler: new Settler(context),
        sending: new Sending(context),
        pauses,
        prober: new Prober(context, claimer, pauses),
        housekeeping: new Housekeeping(context),
        check: () => {
          this.#open();
        },
        closed: (subscription) => this.#subscriptions.delete(subscription),
      };
    } catch (error) {
      wakes?.close();
      for (const each of [senders, quick, claiming, settling, living]) each.destroy(error);
      throw error;
    }
  }

  async #checkSchema(): Promise<void> {
    const { tablePrefix, createTables } = this.#options;
    const database = await this.#database();
    try {
      await requireSchema(database.db, queueMigrationList(tablePrefix), mysqlSchema, {
        create: createTables,
        classify: classifyMysql,
      });
    } finally {
      await database.close();
    }
  }

  /** For kysely's migrator, which wants a pool: one connection, for as long as it looks. */
  async #database(): Promise<MysqlDatabase> {
    const { source } = this.#options;
    if (source.kind === 'kysely') return mysqlDatabase({ kysely: source.kysely as never });
    const pool = createPool({ ...source.connection, connectionLimit: 1 });
    const { db } = await mysqlDatabase({ pool: pool as never });
    return { db, close: () => new Promise((resolve) => pool.end(() => resolve())) };
  }

  #source(): LinkSource {
    const { source } = this.#options;
    return source.kind === 'kysely' ? new BorrowedConnections(source.kysely) : new OwnConnections(source.connection);
  }
}

/** What the server allows, and a name for this queue that all its clients in one process agree on. */
async function serverFacts(
  link: Link,
  prefix: string,
): Promise<{ readonly maxPacketBytes: number; readonly queue: string }> {
  const [row] = await link.rows(
    'select @@max_allowed_packet as packet, @@hostname as host, @@port as port, @@datadir as folder, database() as db',
  );
  const place = [row?.host, row?.port, row?.folder, row?.db].map((part) => text(part ?? ''));
  return { maxPacketBytes: Number(row?.packet), queue: [...place, prefix].join('\0') };
}

function isUnknownDatabase(error: unknown): boolean {
  return (error as { readonly errno?: unknown } | null)?.errno === 1049;
}

/** What is missing is no topic, which `setup()` would make. */
function noDatabase(cause: unknown): Refusal {
  const remedy = 'create it, or correct its name in the URL';
  return new Refusal('not-found', 'there is no such database', remedy, { cause });
}
