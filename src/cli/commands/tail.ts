import { type Command, Option } from 'commander';
import type { StoredMessage } from '../../queue/driver.js';
import { idOf } from '../../queue/message.js';
import { existingBackend } from '../backend.js';
import { type Colors, colorsFor } from '../colors.js';
import { wholeNumberText } from '../config/setting.js';
import { parsed } from '../config/setting-option.js';
import { addCommonFlags, type CommonFlags, configOf } from '../flags.js';
import type { Output } from '../io.js';
import { loggerOf } from '../logging.js';
import { printable } from '../printable.js';
import type { Cli } from '../program.js';
import { listenForStop } from '../stop-requests.js';
import { tailTopic } from '../tail-topic.js';
import { isoTime } from '../write-json.js';

interface TailFlags extends CommonFlags {
  readonly pattern?: readonly string[];
  readonly group?: string;
  readonly limit?: number;
}

export function addTail(program: Command, cli: Cli): void {
  const command = program
    .command('tail')
    .description(
      'Shows messages as they are published to a topic, and takes them from nobody: it reads a group of its own, which it removes when SIGINT or SIGTERM end it, and after a day at the latest.',
    )
    .argument('<topic>', 'name of the topic')
    .option(
      '--pattern <pattern>',
      'only routing keys like this (* is one word, # any number); may be given again',
      (pattern: string, before: readonly string[] = []) => [...before, pattern],
    )
    .addOption(new Option('--group <name>', 'only what this group gets').conflicts('pattern'))
    .addOption(new Option('--limit <n>', 'end after so many').argParser(parsed(wholeNumberText(1, 1_000_000_000))))
    .addHelpText('after', '\nExamples:\n  $ signalbox tail jobs\n  $ signalbox tail build.finished --json --limit 1');
  addCommonFlags(command).action((topic: string, flags: TailFlags) => tail(cli, topic, flags));
}

async function tail({ io }: Cli, topic: string, flags: TailFlags): Promise<void> {
  const config = await configOf(io, flags);
  const backend = await existingBackend(config, io);
  const show = flags.json ? jsonLine : textLine(io.stdout, colorsFor(io.stdout, io.env));
  const stop = listenForStop(io);
  try {
    await tailTopic({
      driver: await backend.driver(),
      topic,
      patterns: flags.pattern ?? null,
      group: flags.group ?? null,
      limit: flags.limit ?? Number.POSITIVE_INFINITY,
      signal: AbortSignal.any([stop.signal, io.readerGone]),
      clock: io.clock,
      logger: loggerOf(io, flags, config),
      onReady: () => void io.stderr.write(`showing what is published to "${printable(topic)}" from now on\n`),
      onMessage: (message) => void io.stdout.write(show(message)),
      onGap: () =>
        void io.stderr.write('somebody removed the group of this tail: what was published meanwhile is not shown\n'),
    });
  } finally {
    stop.release();
  }
}

/** Bodies as text: what is no JSON, nor UTF-8, is to be seen as well. */
function jsonLine(message: StoredMessage): string {
  const { topic, key, routingKey, headers, publishedAt } = message;
  const document = {
    ...{ id: idOf(message), topic, key, routingKey, headers },
    publishedAt: publishedAt === null ? null : isoTime(publishedAt),
    bodyText: Buffer.from(message.body).toString('utf8'),
  };
  return `${JSON.stringify(document)}\n`;
}

/** On less than this many columns a date and a time would leave no room for a message. */
const narrowTerminal = 60;

/** A line each, cut to the width of a terminal. */
function textLine(output: Output, colors: Colors): (message: StoredMessage) => string {
  return (message) => {
    const width = output.isTTY === true ? output.columns || 80 : Number.POSITIVE_INFINITY;
    const published = message.publishedAt === null ? '-' : isoTime(message.publishedAt);
    const time = width < narrowTerminal ? published.slice(11, 19) : published;
    const names = printable([idOf(message), message.routingKey ?? '-', message.key ?? '-'].join('  '));
    const body = printable(Buffer.from(message.body).toString('utf8'));
    const text = cut(`${names}  ${body}`, Math.max(width - time.length - 2, 1));
    return `${colors.dim(time)}  ${text}\n`;
  };
}

function cut(text: string, width: number): string {
  const characters = [...text];
  return characters.length <= width ? text : `${characters.slice(0, width - 1).join('')}…`;
}
