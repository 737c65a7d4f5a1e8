import type { Command } from 'commander';
import { type Queue, QueueError } from '../../queue/index.js';
import { withQueue } from '../backend.js';
import { colorsFor } from '../colors.js';
import { queueUrlOf } from '../config/foreign-names.js';
import { addCommonFlags, type CommonFlags, configOf } from '../flags.js';
import { missingText } from '../own-folder.js';
import { printable } from '../printable.js';
import type { Cli } from '../program.js';
import { type Column, tableOf } from '../table.js';
import { writeJson } from '../write-json.js';

/** A line of `topics`, and an entry of its JSON. Numbers are null where the backend cannot know them. */
interface GroupLine {
  readonly topic: string;
  readonly group: string;
  readonly patterns: readonly string[];
  readonly ready: number | null;
  readonly delayed: number | null;
  readonly inHand: number | null;
  readonly dead: number | null;
  readonly oldestAgeMs: number | null;
  readonly paused: boolean;
}

export function addTopics(program: Command, { io }: Cli): void {
  const command = program
    .command('topics')
    .description(
      'Prints what waits in each group of each topic: ready, delayed, in hand, dead, age of the oldest, and whether it is paused.',
    )
    .addHelpText('after', '\nExample:\n  $ signalbox topics');
  addCommonFlags(command).action(async (flags: CommonFlags) => {
    const missing = missingText(queueUrlOf(await configOf(io, flags)));
    if (missing !== '') {
      if (flags.json) return writeJson(io.stdout, { topics: [] });
      return void io.stderr.write(`no topics${missing}\n`);
    }
    const { lines, durable } = await withQueue({ io, flags, topics: [] }, async (queue) => ({
      lines: await groupLines(queue),
      durable: queue.capabilities.durable,
    }));
    if (flags.json) return writeJson(io.stdout, { topics: lines });
    if (lines.length === 0) return void io.stderr.write(durable ? noTopics : noTopicsHere);
    io.stdout.write(tableOf(columns, lines, io.stdout, colorsFor(io.stdout, io.env)));
  });
}

const noTopics = 'no topics: nothing has declared one on this queue yet\n';
const noTopicsHere = 'no topics: this queue lives in one process, and this command is a process of its own\n';

async function groupLines({ admin }: Queue): Promise<readonly GroupLine[]> {
  const lines: GroupLine[] = [];
  for (const { name, groups } of await admin.topics()) {
    for (const group of groups) {
      const depth = await admin.depth(name, group.name).catch((error: unknown) => {
        // Removed since the topics were listed.
        if (error instanceof QueueError && error.code === 'not-found') return null;
        throw error;
      });
      if (depth !== null) lines.push({ topic: name, group: group.name, patterns: group.patterns, ...depth });
    }
  }
  return lines;
}

const count = (value: number | null): string => (value === null ? '?' : String(value));

const columns: readonly Column<GroupLine>[] = [
  { head: 'topic', text: ({ topic }) => printable(topic), narrow: 'end' },
  { head: 'group', text: ({ group }) => printable(group), narrow: 'end' },
  { head: 'ready', text: ({ ready }) => count(ready), align: 'right' },
  { head: 'delayed', text: ({ delayed }) => count(delayed), align: 'right', expendable: 3 },
  { head: 'in hand', text: ({ inHand }) => count(inHand), align: 'right', expendable: 2 },
  { head: 'dead', text: ({ dead }) => count(dead), align: 'right' },
  {
    head: 'oldest',
    text: ({ oldestAgeMs }) => (oldestAgeMs === null ? '?' : oldestAgeMs === 0 ? '-' : ageText(oldestAgeMs)),
    align: 'right',
    expendable: 1,
  },
  { head: 'state', text: ({ paused }) => (paused ? 'paused' : 'flows') },
];

/** The largest unit that says something: 950 ms, 12.3 s, 5 min, 3 h, 2 d. */
export function ageText(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)} min`;
  if (ms < 86_400_000) return `${Math.floor(ms / 3_600_000)} h`;
  return `${Math.floor(ms / 86_400_000)} d`;
}
