import type { DatabaseConnection, Dialect, Kysely } from 'kysely';

/** What migrating needs to know of one kind of database: `mysqlSchema` is that of MySQL and MariaDB. */
export interface SchemaBackend {
  /** Whether the database in use has a table of this name that the user may see. */
  hasTable(db: Kysely<unknown>, table: string): Promise<boolean>;

  /**
   * Runs `use` on one connection while no other process does so under the same name in the same database,
   * waiting up to `timeoutMs` for its turn; `busy` when it did not come. Dying ends a turn.
   */
  exclusively<T>(
    db: Kysely<unknown>,
    name: string,
    timeoutMs: number,
    use: (connection: DatabaseConnection) => Promise<T>,
  ): Promise<T | 'busy'>;

  /**
   * A dialect that has this one connection, never closes it, and takes no lock of its own for a migration:
   * `exclusively` has taken it, and looked at the answer.
   */
  dialectOver(connection: DatabaseConnection): Dialect;
}
