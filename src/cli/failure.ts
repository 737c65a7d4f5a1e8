import { QueueError } from '../queue/index.js';
import { exitCodeOf, exitCodes } from './exit-codes.js';
import type { CliIo } from './io.js';
import { printable } from './printable.js';
import { withoutPasswords } from './without-passwords.js';

/** Writes an error of a call with `argv` as one line to stderr, with the stack only when asked for, and answers the exit code. */
export function report(error: unknown, io: CliIo, argv: readonly string[]): number {
  const known = error instanceof QueueError;
  const message = known
    ? error.message
    : `something happened that should not: ${messageOf(error)}; report this, with what --verbose prints`;
  io.stderr.write(`signalbox: ${printable(withoutPasswords(message, argv))}\n`);
  if (argv.includes('--verbose') && error instanceof Error) io.stderr.write(stackOf(error));
  return known ? exitCodeOf(error.code) : exitCodes.failed;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * The frames of an error and of what caused it. Not the messages of causes: they are a client library's own,
 * which may show a password.
 */
function stackOf(error: Error): string {
  const lines: string[] = [];
  for (let each: unknown = error; each instanceof Error && lines.length < 200; each = each.cause) {
    const { code } = each as { code?: unknown };
    lines.push(`  ${each === error ? '' : 'caused by '}${each.name}${typeof code === 'string' ? ` (${code})` : ''}`);
    lines.push(...(each.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line)));
  }
  return `${lines.map(printable).join('\n')}\n`;
}
