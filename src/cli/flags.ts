import { type Command, InvalidArgumentError, Option } from 'commander';
import { pino } from 'pino';
import { z } from 'zod';
import { type Logger, QueueError, silentLogger } from '../queue/index.js';
import type { CliIo } from './io.js';

/** What every command has. */
export interface CommonFlags {
  readonly queue?: string;
  readonly json?: boolean;
  readonly verbose?: boolean;
}

const runners = ['noop', 'scripted'] as const;
export type RunnerName = (typeof runners)[number];

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

const thirtyDaysMs = 30 * 24 * 60 * 60 * 1_000;

/** `--queue`, `--json` and `--verbose`. */
export function addCommonFlags(command: Command, queueHelp: string): Command {
  return command
    .option('--queue <url>', queueHelp)
    .option('--json', 'one JSON document on stdout, for programs')
    .option('--verbose', 'on an error, print its stack; log what happens to stderr');
}

/** The queue that most commands need to be told of. */
export const queueHelp = 'the queue, such as memory:NAME (default: QUEUE_URL)';

export function runnerOption(byDefault: RunnerName): Option {
  return new Option(
    '--runner <name>',
    'who builds: noop (all succeed at once) or scripted (a build farm as in the demonstration)',
  )
    .choices(runners)
    .default(byDefault);
}

/** A time span that has to be at least 1 ms. */
export function millisecondsOption(flag: string, help: string, byDefault: number): Option {
  return wholeNumberOption(`${flag} <ms>`, help, byDefault, 1, thirtyDaysMs);
}

export function wholeNumberOption(flag: string, help: string, byDefault: number, min: number, max: number): Option {
  const text = `must be a whole number from ${min} to ${max}`;
  // By pattern first: Number('') is 0, and Number('1e3') or '0x10' are seldom meant.
  const schema = z
    .string()
    .regex(/^\d{1,15}$/, text)
    .transform(Number)
    .pipe(z.int(text).min(min, text).max(max, text));
  return new Option(flag, help).default(byDefault).argParser((given: string) => {
    const read = schema.safeParse(given);
    if (read.success) return read.data;
    throw new InvalidArgumentError(`It ${text}`);
  });
}

/** The queue's URL, from the flag or the environment; an `invalid` error when neither names one. */
export function queueUrl(operation: string, flags: CommonFlags, env: CliIo['env']): string {
  const url = flags.queue ?? env.QUEUE_URL;
  if (url !== undefined && (url !== '' || flags.queue === '')) return url;
  throw new QueueError(`cannot ${operation}: no queue is named; give --queue URL, or set QUEUE_URL`, {
    code: 'invalid',
  });
}

/** JSON lines on stderr. */
export function logTo(io: CliIo, level: LogLevel): Logger {
  return pino(
    { level, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    { write: (line) => void io.stderr.write(line) },
  );
}

/** For commands whose output is their result: they log only with `--verbose`. */
export function loggerOf(io: CliIo, flags: CommonFlags): Logger {
  return flags.verbose ? logTo(io, 'info') : silentLogger;
}
