import { type Classification, QueueError } from '../queue/driver.js';
import type { MigrationOutcome } from './migrate.js';
import type { MigrationList } from './migration.js';
import { schemaFault } from './schema-fault.js';
import type { SchemaStatus } from './schema-status.js';

/** Where it happens: name of the driver, and its table of errors. */
export interface MigrationFailureContext {
  readonly operation: string;
  readonly backend: string;
  readonly classify: (error: unknown) => Classification;
}

/** The error that a schema is to those who wanted to use it, `topology-mismatch`; null where it is what they expect. */
export function schemaFailure(
  status: SchemaStatus,
  { operation, backend }: Pick<MigrationFailureContext, 'operation' | 'backend'>,
): QueueError | null {
  const fault = schemaFault(status);
  if (fault === null) return null;
  return new QueueError(`cannot ${operation} on ${backend}: ${fault.subject}; ${fault.remedy}`, {
    code: 'topology-mismatch',
    backend,
  });
}

/** The error that an outcome is to those who asked for a current schema; null where they have it. */
export function migrationFailure(
  outcome: MigrationOutcome,
  list: MigrationList,
  context: MigrationFailureContext,
): QueueError | null {
  const { operation, backend, classify } = context;
  const schema = `the schema of the ${list.name} (tables ${list.tablePrefix}…)`;
  if (outcome.kind === 'current') return null;
  if (outcome.kind === 'newer') return schemaFailure(outcome.status, context);
  if (outcome.kind === 'busy') {
    return new QueueError(
      `cannot ${operation} on ${backend}: for ${outcome.waitedMs / 1_000} s another process was migrating ${schema}; see that it ends, then try again`,
      { code: 'unavailable', retryable: true, backend },
    );
  }
  const { code, retryable } = classify(outcome.error);
  const step = outcome.step === null ? 'its record of what has run' : `its step "${outcome.step}"`;
  const remedy =
    code === 'denied'
      ? 'run "signalbox migrate --queue URL" with an account that may create and alter tables'
      : 'look at the cause, then run "signalbox migrate --queue URL": it goes on where this ended';
  return new QueueError(`cannot ${operation} on ${backend}: ${schema} is not current, as ${step} failed; ${remedy}`, {
    code,
    retryable,
    backend,
    cause: outcome.error,
  });
}
