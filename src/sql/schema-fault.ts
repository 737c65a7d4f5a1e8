import type { SchemaStatus } from './schema-status.js';

/** Why this code cannot work on a schema, in words that fit both a driver's `Refusal` and a message. */
export interface SchemaFault {
  readonly kind: 'older' | 'newer';
  /** Subject and what is wrong. */
  readonly subject: string;
  readonly remedy: string;
}

/** Null where the schema is what the code expects. Pure. */
export function schemaFault({ list, tablePrefix, applied, pending, unknown }: SchemaStatus): SchemaFault | null {
  const schema = `the schema of the ${list} (tables ${tablePrefix}…)`;
  if (unknown.length > 0) {
    return {
      kind: 'newer',
      subject: `${schema} is newer than this release of signalbox, which does not know ${listed(unknown)}`,
      remedy: 'use a release at least as new as the one that migrated it',
    };
  }
  if (pending.length === 0) return null;
  return {
    kind: 'older',
    subject:
      applied.length === 0
        ? `${schema} is not there`
        : `${schema} is older than this release of signalbox: it lacks ${listed(pending)}`,
    remedy: 'run "signalbox migrate --queue URL" with an account that may create and alter tables',
  };
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, 3).map((name) => `"${name}"`);
  return names.length > 3 ? `${shown.join(', ')} and ${names.length - 3} more` : shown.join(', ');
}
