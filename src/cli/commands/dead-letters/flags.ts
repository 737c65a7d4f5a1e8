import type { Command } from 'commander';
import { QueueError } from '../../../queue/index.js';
import { addCommonFlags, type CommonFlags } from '../../flags.js';

export interface LetterFlags extends CommonFlags {
  readonly group: string;
}

export interface SelectionFlags extends LetterFlags {
  readonly all?: boolean;
}

export function addLetterFlags(command: Command): Command {
  return addCommonFlags(command.option('--group <name>', 'the group that gave up', 'default'));
}

/** The ids that were named, or all: exactly one of the two, so that a forgotten id never means everything. */
export function selectionOf(
  operation: string,
  ids: readonly string[],
  all: boolean | undefined,
): readonly string[] | 'all' {
  if (ids.length > 0 && !all) return [...new Set(ids)];
  if (ids.length === 0 && all) return 'all';
  const what = all ? 'both ids and --all are given' : 'no message is named';
  throw new QueueError(`cannot ${operation}: ${what}; give either message ids or --all`, { code: 'invalid' });
}

/** Ids that did not exist: said after what was done for the others. */
export function checkAllFound(operation: string, selection: readonly string[] | 'all', count: number): void {
  if (selection === 'all' || count >= selection.length) return;
  const missing = selection.length - count;
  const named = selection.length === 1 ? `"${selection[0]}"` : `${missing} of the ${selection.length} ids`;
  throw new QueueError(
    `cannot ${operation} ${named}: no such dead letter; "signalbox dead-letters list" shows what is there`,
    { code: 'not-found' },
  );
}
