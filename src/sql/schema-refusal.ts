import { type Classification, Refusal } from '../queue/driver.js';
import type { MigrationOutcome } from './migrate.js';
import type { MigrationList } from './migration.js';
import { schemaFault } from './schema-fault.js';
import type { SchemaStatus } from './schema-status.js';

/** What a schema is to those who cannot work on it, a `topology-mismatch`; null where they can. */
export function schemaRefusal(status: SchemaStatus): Refusal | null {
  const fault = schemaFault(status);
  return fault === null ? null : new Refusal('topology-mismatch', fault.subject, fault.remedy);
}

/** What a migration is to those who needed the schema; null where they have it. `classify` is the driver's table of errors. */
export function migrationRefusal(
  outcome: MigrationOutcome,
  { name, tablePrefix }: MigrationList,
  classify: (error: unknown) => Classification,
): Refusal | null {
  const schema = `the schema of the ${name} (tables ${tablePrefix}…)`;
  if (outcome.kind === 'current') return null;
  if (outcome.kind === 'newer') return schemaRefusal(outcome.status);
  if (outcome.kind === 'busy') {
    const waited = `for ${outcome.waitedMs / 1_000} s another process was migrating ${schema}`;
    return new Refusal('unavailable', waited, 'see that it ends, then try again');
  }
  const { code } = classify(outcome.error);
  const part = outcome.step === null ? 'its record of what has run' : `its step "${outcome.step}"`;
  const remedy =
    code === 'denied'
      ? 'run "signalbox migrate --queue URL" with an account that may create and alter tables'
      : 'look at the cause, then run "signalbox migrate --queue URL": it goes on where this ended';
  return new Refusal(code, `${schema} is not current, as ${part} failed`, remedy, { cause: outcome.error });
}
