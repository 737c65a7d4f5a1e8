import { z } from 'zod';
import { QueueError } from './errors.js';

/**
 * Reads options through a schema; a misspelt key, a NaN or a negative number is an `invalid` error that
 * names the operation, the option and what would be right.
 */
export function readOptions<Schema extends z.ZodType>(
  operation: string,
  schema: Schema,
  options: unknown,
): z.output<Schema> {
  const read = schema.safeParse(options);
  if (read.success) return read.data;
  const faults = read.error.issues.map((issue) => `${issue.path.join('.') || 'options'}: ${issue.message}`);
  throw new QueueError(`cannot ${operation}: ${faults.join('; ')}`, { code: 'invalid' });
}

/** A time span in milliseconds. */
export const milliseconds = z.number('must be a number of milliseconds').nonnegative('must not be negative');

/** A count that makes sense from 1. */
export const positiveInteger = z
  .number('must be a whole number')
  .int('must be a whole number')
  .min(1, 'must be at least 1');
