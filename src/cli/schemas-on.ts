import type { Kysely } from 'kysely';
import type { Classification, QueueError } from '../queue/driver.js';
import { migrate } from '../sql/migrate.js';
import type { MigrationList } from '../sql/migration.js';
import type { SchemaBackend } from '../sql/schema-backend.js';
import { migrationRefusal } from '../sql/schema-refusal.js';
import { type SchemaStatus, schemaStatus } from '../sql/schema-status.js';

/** The tables that a backend keeps for the queue and for the builds, each a list of migrations. */
export interface Schemas {
  /** Name of the driver. */
  readonly backend: string;
  /** How each list stands, without changing anything. Rejects with `QueueError`. */
  statuses(): Promise<readonly SchemaStatus[]>;
  /** Brings each list up to date, one after the other, and answers by list's name which steps ran. Rejects with `QueueError`. */
  migrate(): Promise<ReadonlyMap<string, readonly string[]>>;
  close(): Promise<void>;
}

export interface SchemasOptions {
  readonly backend: string;
  readonly db: Kysely<unknown>;
  readonly schema: SchemaBackend;
  readonly lists: readonly MigrationList[];
  readonly classify: (error: unknown) => Classification;
  readonly failure: (error: unknown) => QueueError;
  readonly close: () => Promise<void>;
}

/** The same for every database that kysely can migrate. */
export function schemasOn({ backend, db, schema, lists, classify, failure, close }: SchemasOptions): Schemas {
  const bringUp = async (list: MigrationList): Promise<readonly string[]> => {
    const outcome = await migrate(db, list, schema);
    if (outcome.kind === 'current') return outcome.ran;
    throw migrationRefusal(outcome, list, classify);
  };
  const eachInTurn = async <T>(work: (list: MigrationList) => Promise<T>): Promise<readonly T[]> => {
    const answers: T[] = [];
    try {
      for (const list of lists) answers.push(await work(list));
      return answers;
    } catch (error) {
      throw failure(error);
    }
  };

  return {
    backend,
    statuses: () => eachInTurn((list) => schemaStatus(db, list, schema)),
    migrate: async () => new Map(await eachInTurn(async (list) => [list.name, await bringUp(list)] as const)),
    close,
  };
}
