import type { Logger } from '../driver.js';
import type { Catalogue } from './catalogue.js';
import type { Session } from './session.js';
import type { SessionPool } from './session-pool.js';
import type { Statements } from './statements.js';
import type { Tables } from './tables.js';
import type { Wakes } from './wakes.js';

/** What the parts of one open driver share. */
export interface Context {
  readonly tables: Tables;
  readonly statements: Statements;
  readonly catalogue: Catalogue;
  readonly logger: Logger;
  readonly wakes: Wakes;
  readonly leaseMs: number;
  /** Bytes of one statement that the server takes. */
  readonly statementBytes: number;
  /** For publishing and for what an application asks: several at once. Autocommit. */
  readonly senders: SessionPool;
  /** For what is one short statement: probes, single settlements, leases. Autocommit. */
  readonly quick: Session;
  /** Transactions without a statement to begin them. */
  readonly claiming: Session;
  readonly settling: Session;
}
