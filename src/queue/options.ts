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
  const faults = read.error.issues.map(faultOf);
  throw new QueueError(`cannot ${operation}: ${faults.join('; ')}`, { code: 'invalid' });
}

function faultOf(issue: z.core.$ZodIssue): string {
  // A key of a record that is no name: the reason lies one level deeper.
  const message = issue.code === 'invalid_key' ? (issue.issues[0]?.message ?? issue.message) : issue.message;
  const place = issue.path.join('.');
  if (place === '') return issue.code === 'unrecognized_keys' ? message : `options: ${message}`;
  return `${place}: ${message}`;
}

/** An object of options. Another name than these is an error that lists them: a misspelt option must not be a silent no-op. */
export function optionsObject<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  const names = Object.keys(shape).join(', ');
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? `unknown option ${issue.keys.map((key) => JSON.stringify(key)).join(', ')}; there are ${names}`
        : `must be an object of ${names}`,
  });
}

/** Whether a value is an object with these methods. */
export function hasFunctions(value: unknown, names: readonly string[]): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return names.every((name) => typeof (value as Readonly<Record<string, unknown>>)[name] === 'function');
}

/** A time span in milliseconds. */
export const milliseconds = z.number('must be a number of milliseconds').nonnegative('must not be negative');

/** A count that makes sense from 1. */
export const positiveInteger = z
  .number('must be a whole number')
  .int('must be a whole number')
  .min(1, 'must be at least 1');
