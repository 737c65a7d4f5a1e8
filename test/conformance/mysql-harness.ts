import { Kysely, MysqlDialect } from 'kysely';
import { createPool } from 'mysql2';
import { createConnection } from 'mysql2/promise';
import { type Clock, type Driver, systemClock } from 'signalbox';
import type { Harness, HarnessTransaction } from 'signalbox/conformance';
import { mysql } from 'signalbox/mysql';
import { mortal } from './mortal.js';
import { MortalSockets } from './mortal-sockets.js';

export interface MysqlHarnessOptions {
  /** A database that is this harness's alone. */
  readonly url: string;
  readonly version: string;
  /** Ends the server as `kill -9` does and starts it again; left out where it is not ours to end. */
  readonly restart?: (() => Promise<void>) | undefined;
  /** Makes the drivers: those of a changed copy of the code, where that is judged. */
  readonly make?: typeof mysql;
  /** Puts something around each client: a mutant. */
  readonly wrap?: (driver: Driver) => Driver;
  readonly leaseMs?: number;
  /** How the application's own transactions are begun. */
  readonly transactions?: 'mysql2' | 'kysely';
  readonly timeFactor?: number;
  /**
   * Whether the leases of a client hold over a cut, as they do when it is back in time. Default: false. The suite expects that
   * what was held is lost by a cut; so its leases are ended, as if the connection had been away for longer.
   */
  readonly leasesOutliveCuts?: boolean;
}

/** The MySQL driver on a real server. */
export function mysqlHarness(options: MysqlHarnessOptions): Harness {
  const { url, version, restart, make = mysql, wrap = (driver) => driver, transactions = 'mysql2' } = options;
  const { timeFactor = 1, leaseMs = 2_000 * timeFactor, leasesOutliveCuts = false } = options;
  const { hostname: host, port, username, password, pathname } = new URL(url);
  const connection = {
    host,
    port: Number(port),
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
    database: pathname.slice(1),
  };
  const socketsOf = new WeakMap<Driver, MortalSockets>();

  const client = (): Driver => {
    const sockets = new MortalSockets();
    const stream = (): unknown => sockets.open(connection.host, connection.port);
    const driver = mortal(wrap(make({ connection: { ...connection, stream }, leaseMs })), sockets);
    socketsOf.set(driver, sockets);
    return driver;
  };
  /** The process has the wrong time of day; the database, which keeps the time of all, does not. */
  const clientWithWrongClock = (offsetMs: number): Driver => {
    const wrong: Clock = {
      now: () => systemClock.now() + offsetMs,
      schedule: (callback, delayMs) => systemClock.schedule(callback, delayMs),
    };
    return new Proxy(client(), {
      get: (driver, name) => {
        const value: unknown = name === 'clock' ? wrong : Reflect.get(driver, name, driver);
        return typeof value === 'function' ? value.bind(driver) : value;
      },
    });
  };

  const once = async <T>(use: (link: Connection) => Promise<T>): Promise<T> => {
    const link = await createConnection(connection);
    try {
      return await use(link);
    } finally {
      await link.end();
    }
  };

  return {
    backend: 'mysql',
    version,
    time: { kind: 'real', timeFactor },
    client,
    clientWithWrongClock,
    cutConnections: async (driver) => {
      const sockets = socketsOf.get(driver);
      const ports = sockets?.ports ?? [];
      await once(async (link) => {
        const holder = leasesOutliveCuts ? null : await holderAt(link, ports);
        sockets?.cut();
        if (holder !== null) await endLeases(link, holder);
      });
    },
    killSubscriber: (driver) => {
      socketsOf.get(driver)?.kill();
      // What is left of it in this process must not go on trying; without connections it can tell the server nothing.
      void driver.close();
    },
    restartBackend: restart,
    beginTransaction: () =>
      transactions === 'kysely' ? kyselyTransaction(connection) : mysql2Transaction(() => createConnection(connection)),
    // What docs/mysql.md calls a foreign message: a group and a body, all else as the table has it.
    sendForeign: ({ topic, routingKey, body }) =>
      once(async (link) => {
        await link.query(
          `insert into signalbox_messages (box, routing_key, body)
           select g.id, ?, ? from signalbox_groups g join signalbox_topics t on t.id = g.topic_id
           where t.name = ?`,
          [routingKey === null ? null : Buffer.from(routingKey), Buffer.from(body), Buffer.from(topic)],
        );
      }),
    backendNow: () =>
      once(async (link) => {
        const [rows] = await link.query('select unix_timestamp(now(6)) * 1000 as now_ms');
        return Number((rows as { now_ms: unknown }[])[0]?.now_ms);
      }),
  };
}

type Connection = Awaited<ReturnType<typeof createConnection>>;

/** The holder's id of the client that has connections from these ports: its named lock is held by one of them. Null: it has claimed nothing. */
async function holderAt(link: Connection, ports: readonly number[]): Promise<number | null> {
  const [rows] = await link.query(
    `select h.id, p.host from signalbox_holders h
     join information_schema.processlist p on p.id = is_used_lock(h.lock_name)`,
  );
  const holders = rows as { readonly id: number; readonly host: string }[];
  return holders.find(({ host }) => ports.includes(Number(host.split(':').pop())))?.id ?? null;
}

/** What an outage that is longer than the leases comes to. */
async function endLeases(link: Connection, holder: number): Promise<void> {
  const first = holder * 2 ** 20;
  await link.query('update signalbox_messages set visible_after = 1 where claim_token between ? and ?', [
    first,
    first + 2 ** 20 - 1,
  ]);
}

async function mysql2Transaction(connect: () => ReturnType<typeof createConnection>): Promise<HarnessTransaction> {
  const link = await connect();
  await link.beginTransaction();
  let open = true;
  const end = async (how: 'commit' | 'rollback'): Promise<void> => {
    if (!open) return;
    open = false;
    await link[how]();
    await link.end();
  };
  return { handle: link, commit: () => end('commit'), rollback: () => end('rollback') };
}

async function kyselyTransaction(connection: object): Promise<HarnessTransaction> {
  const db = new Kysely<unknown>({
    dialect: new MysqlDialect({ pool: createPool({ ...connection, connectionLimit: 1 }) }),
  });
  const transaction = await db.startTransaction().execute();
  let open = true;
  const end = async (how: 'commit' | 'rollback'): Promise<void> => {
    if (!open) return;
    open = false;
    await transaction[how]().execute();
    await db.destroy();
  };
  return { handle: transaction, commit: () => end('commit'), rollback: () => end('rollback') };
}
