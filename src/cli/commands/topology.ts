import type { Command } from 'commander';
import { type BackendObject, QueueError, type TopicTopology } from '../../queue/index.js';
import { withQueue } from '../backend.js';
import { colorsFor } from '../colors.js';
import { exitCodes } from '../exit-codes.js';
import { addCommonFlags, type CommonFlags } from '../flags.js';
import { printable } from '../printable.js';
import type { Cli } from '../program.js';
import { type Column, tableOf } from '../table.js';
import { writeJson } from '../write-json.js';

interface TopologyFlags extends CommonFlags {
  readonly check?: boolean;
}

interface Found {
  readonly backend: string;
  readonly topics: readonly TopicTopology[];
  readonly objects: readonly BackendObject[] | null;
}

export function addTopology(program: Command, { io, exitWith }: Cli): void {
  const command = program
    .command('topology')
    .description(
      'Prints what is declared: topics, groups, patterns and lanes, and what they consist of in the backend, with arguments and bindings.',
    )
    .option(
      '--check',
      'verify that all of it exists and is consumed: exit code 3 if something is missing, 1 if nobody consumes',
    )
    .addHelpText('after', '\nExample:\n  $ signalbox topology --check --queue amqp://user:password@host/vhost');
  addCommonFlags(command).action(async (flags: TopologyFlags) => {
    const found = await withQueue({ io, flags, topics: [] }, async (queue) => ({
      backend: queue.health().backend,
      topics: await queue.admin.topics(),
      objects: await queue.admin.objects(),
    }));
    const faults = flags.check ? faultsOf(found) : null;
    if (flags.json) writeJson(io.stdout, { ...found, ...(faults ?? {}) });
    else print(found, faults);
    if (faults === null) return;
    if (faults.missing.length > 0) exitWith(exitCodes.notFound);
    else if (faults.notConsumed.length > 0) exitWith(exitCodes.failed);
  });

  function print({ topics, objects }: Found, faults: Faults | null): void {
    const colors = colorsFor(io.stdout, io.env);
    if (topics.length === 0) io.stderr.write('no topics: nothing has declared one on this queue yet\n');
    if (faults === null && topics.length > 0) {
      io.stdout.write(tableOf(topicColumns, topics.flatMap(linesOf), io.stdout, colors));
      if (objects !== null) io.stdout.write(tableOf(objectColumns, objects, io.stdout, colors));
    }
    if (faults === null) return;
    for (const what of faults.missing) io.stdout.write(`missing: ${printable(what)}\n`);
    for (const what of faults.notConsumed) io.stdout.write(`nobody consumes: ${printable(what)}\n`);
    if (faults.missing.length + faults.notConsumed.length === 0) io.stdout.write('all of it is there and consumed\n');
  }
}

interface Faults {
  readonly missing: readonly string[];
  readonly notConsumed: readonly string[];
}

/** Throws `unsupported` where the backend cannot tell who consumes: a check that always succeeds would be none. */
function faultsOf({ backend, topics, objects }: Found): Faults {
  if (objects === null) {
    throw new QueueError(
      `cannot check the topology: ${backend} does not tell who consumes; leave --check out to print what is declared, or use "signalbox topics" to see what waits`,
      { code: 'unsupported', backend },
    );
  }
  if (topics.length === 0)
    return { missing: ['any topic: nothing has declared one on this queue yet'], notConsumed: [] };
  const named = ({ kind, name, purpose }: BackendObject): string => `${kind} "${name}" (${purpose})`;
  return {
    missing: objects.filter(({ exists }) => !exists).map(named),
    notConsumed: objects.filter((each) => each.exists && each.needsConsumer && each.consumers === 0).map(named),
  };
}

interface GroupLine {
  readonly topic: string;
  readonly ordering: string;
  readonly group: string;
  readonly patterns: readonly string[];
}

function linesOf({ name, ordering, lanes, groups }: TopicTopology): readonly GroupLine[] {
  const order = ordering === 'key' ? `by key, ${lanes} lanes` : 'none';
  return groups.map((group) => ({ topic: name, ordering: order, group: group.name, patterns: group.patterns }));
}

const topicColumns: readonly Column<GroupLine>[] = [
  { head: 'topic', text: ({ topic }) => printable(topic), narrow: 'end' },
  { head: 'order', text: ({ ordering }) => ordering },
  { head: 'group', text: ({ group }) => printable(group), narrow: 'end' },
  { head: 'patterns', text: ({ patterns }) => printable(patterns.join(' ')), narrow: 'wrap' },
];

const objectColumns: readonly Column<BackendObject>[] = [
  { head: 'object', text: ({ kind, name }) => printable(`${kind} ${name}`), narrow: 'wrap' },
  { head: 'type', text: ({ type, exists }) => (exists ? printable(type) : 'MISSING') },
  { head: 'for', text: ({ purpose }) => printable(purpose), narrow: 'wrap' },
  { head: 'arguments', text: ({ arguments: args }) => printable(argumentsText(args)), narrow: 'wrap', expendable: 1 },
  {
    head: 'bound to',
    text: ({ bindings }) => printable(bindings.map(bindingText).join(', ')),
    narrow: 'wrap',
    expendable: 2,
  },
  { head: 'ready', text: ({ ready }) => (ready === null ? '-' : String(ready)), align: 'right' },
  { head: 'consumers', text: ({ consumers }) => (consumers === null ? '-' : String(consumers)), align: 'right' },
];

function argumentsText(args: BackendObject['arguments']): string {
  return Object.entries(args)
    .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
    .join(' ');
}

function bindingText({ exchange, routingKey, arguments: args }: BackendObject['bindings'][number]): string {
  const more = argumentsText(args);
  return `${exchange} "${routingKey}"${more === '' ? '' : ` ${more}`}`;
}
