import { constants } from 'node:os';
import type { Command } from 'commander';
import { orchestratorTopics } from '../../orchestrator/index.js';
import {
  type MovePlan,
  type MoveReport,
  type MoveRest,
  moveMessages,
  planMove,
  QueueError,
  type RefusedMessage,
  silentLogger,
} from '../../queue/index.js';
import { colorsFor } from '../colors.js';
import { counted } from '../counted.js';
import { existingQueue } from '../existing-queue.js';
import { exitCodes } from '../exit-codes.js';
import type { CliIo } from '../io.js';
import { logFrom } from '../logging.js';
import { showMoving } from '../moving.js';
import { printable } from '../printable.js';
import type { Cli } from '../program.js';
import { isSameQueue } from '../same-queue.js';
import { listenForStop } from '../stop-requests.js';
import { type Column, tableOf } from '../table.js';
import { tailGroupOf } from '../tail-group.js';
import { writeJson } from '../write-json.js';

interface MoveFlags {
  readonly dryRun?: boolean;
  readonly wait?: boolean;
  readonly evenIfInUse?: boolean;
  readonly json?: boolean;
  readonly verbose?: boolean;
}

export function addMove(program: Command, { io, exitWith }: Cli): void {
  program
    .command('move')
    .description(
      'Moves all messages from one backend to another: every topic and group, delays, counts and dead letters. The source is paused and stays so.',
    )
    .argument('<from>', 'the queue that is emptied, such as sqlite:.signalbox/queue.db')
    .argument('<to>', 'the queue that gets all of it, such as amqp://guest:guest@127.0.0.1:5672')
    .option('--dry-run', 'say what would be moved, and change nothing')
    .option('--wait', 'wait for delayed messages that the source cannot give before they fall due (RabbitMQ)')
    .option('--even-if-in-use', 'move although the source seems to be published to or consumed')
    .option('--json', 'one JSON document on stdout, for programs')
    .option('--verbose', 'on an error, print its stack; log what happens to stderr')
    .addHelpText('after', '\nExample:\n  $ signalbox move sqlite:.signalbox/queue.db mysql://root@127.0.0.1:3306/queue')
    .action((from: string, to: string, flags: MoveFlags) => move({ io, exitWith }, from, to, flags));
}

async function move({ io, exitWith }: Cli, from: string, to: string, flags: MoveFlags): Promise<void> {
  const logger = flags.verbose ? logFrom(io, 'info', io.stderr.isTTY !== true) : silentLogger;
  for (const url of [from, to]) demandLasting(url);
  // Both, so that what is wrong with the second is not found out when the first is paused.
  const [, target] = [await io.connect(from), await io.connect(to)];
  if (await isSameQueue(from, to)) {
    throw new QueueError('cannot move a queue: both URLs lead to the same one; name another backend', {
      code: 'invalid',
    });
  }
  const source = await io.connect(await existingQueue('move a queue', from));
  const skipGroup = (group: string): boolean => tailGroupOf(group) !== null;
  if (flags.dryRun) {
    writePlan(io, await planMove(source, { logger, skipGroup }), flags);
    return;
  }
  const moving = showMoving(io);
  const stop = listenForStop(io);
  let isPaused = false;
  try {
    const report = await moveMessages(source, target, {
      clock: io.clock,
      logger,
      skipGroup,
      wait: flags.wait,
      evenIfInUse: flags.evenIfInUse,
      signal: stop.signal,
      onProgress: (progress) => {
        isPaused = progress.doing !== 'watching';
        moving.tell(progress);
      },
    });
    moving.end();
    writeReport(io, report, flags);
    tellWhatWaits(io, report);
    if (isLeft(report)) exitWith(exitCodes.failed);
  } catch (error) {
    moving.end();
    const received = stop.received();
    if (received === null || !(error instanceof QueueError) || error.code !== 'aborted') throw error;
    io.stderr.write(
      `signalbox: stopped by ${received} before all was moved; nothing is lost: run the same command again, and it goes on${isPaused ? '; until then groups of the source are paused' : ''}\n`,
    );
    exitWith(128 + constants.signals[received]);
  } finally {
    stop.release();
  }
}

function demandLasting(url: string): void {
  if (!/^memory:/i.test(url)) return;
  throw new QueueError('cannot move a queue: memory: ends with this command; name a backend that lasts', {
    code: 'invalid',
  });
}

function writePlan(io: CliIo, plan: MovePlan, { json }: MoveFlags): void {
  const groups = plan.groups.map(({ topic, group, depth: { ready, delayed, inHand, dead } }) => ({
    topic,
    group,
    ready,
    delayed,
    inHand,
    dead,
  }));
  if (json) {
    writeJson(io.stdout, { dryRun: true, groups, left: plan.left });
    return;
  }
  const number = (value: number | null): string => (value === null ? '?' : String(value));
  const columns: readonly Column<(typeof groups)[number]>[] = [
    { head: 'topic', text: ({ topic }) => printable(topic), narrow: 'end' },
    { head: 'group', text: ({ group }) => printable(group), narrow: 'end' },
    { head: 'ready', text: ({ ready }) => number(ready), align: 'right' },
    { head: 'delayed', text: ({ delayed }) => number(delayed), align: 'right' },
    { head: 'in hand', text: ({ inHand }) => number(inHand), align: 'right' },
    { head: 'dead', text: ({ dead }) => number(dead), align: 'right' },
  ];
  io.stdout.write(tableOf(columns, groups, io.stdout, colorsFor(io.stdout, io.env)));
  io.stdout.write(`nothing was moved${restText({ ...plan.left, waiting: 0 }, 0, groups)}\n`);
}

function writeReport(io: CliIo, { groups, left, staying, pausedInTarget }: MoveReport, { json }: MoveFlags): void {
  if (json) {
    writeJson(io.stdout, { dryRun: false, groups, left, staying, pausedInTarget });
    return;
  }
  const columns: readonly Column<(typeof groups)[number]>[] = [
    { head: 'topic', text: ({ topic }) => printable(topic), narrow: 'end' },
    { head: 'group', text: ({ group }) => printable(group), narrow: 'end' },
    { head: 'messages', text: ({ messages }) => String(messages), align: 'right' },
    { head: 'dead', text: ({ deadLetters }) => String(deadLetters), align: 'right' },
  ];
  if (groups.length > 0) io.stdout.write(tableOf(columns, groups, io.stdout, colorsFor(io.stdout, io.env)));
  const messages = groups.reduce((sum, each) => sum + each.messages, 0);
  const dead = groups.reduce((sum, each) => sum + each.deadLetters, 0);
  io.stdout.write(
    `${counted(messages, 'message')} and ${counted(dead, 'dead letter')} moved${restText(left, staying.count, groups)}\n`,
  );
}

/** What nobody is served, and why; each with what can be done about it. */
function tellWhatWaits({ stderr }: CliIo, { staying: { refused, count }, pausedInTarget }: MoveReport): void {
  for (const each of refused) stderr.write(`signalbox: not moved: ${printable(refusedText(each))}\n`);
  if (count > 0) {
    stderr.write(
      `signalbox: ${counted(count, 'message')} stay${count === 1 ? 's' : ''} in the source, with what waits behind one of an ordered topic; let them be consumed there ("signalbox resume TOPIC GROUP"), or move them to a backend that takes them\n`,
    );
  }
  for (const { topic, group } of pausedInTarget) {
    stderr.write(
      `signalbox: group "${printable(group)}" of "${printable(topic)}" is paused in the target, and serves nobody until "signalbox resume ${printable(topic)} ${printable(group)}" there\n`,
    );
  }
}

function refusedText({ topic, group, id, dead, why }: RefusedMessage): string {
  const name =
    id === null ? `a ${dead ? 'dead letter' : 'message'} without an id` : `${dead ? 'dead letter' : 'message'} "${id}"`;
  return `${name} of group "${group}" of "${topic}": ${why}`;
}

function isLeft({ left: { waiting, inTransit, inHand, lostLetters }, staying }: MoveReport): boolean {
  return waiting + inTransit + inHand + lostLetters + staying.count > 0;
}

function restText(
  { waiting, inTransit, inHand, lostLetters }: MoveRest,
  staying: number,
  groups: readonly { readonly topic: string }[],
): string {
  const { signal } = orchestratorTopics();
  // What is in a delay queue cannot be looked at without taking it out.
  const ofBuilds = groups.some(({ topic }) => topic === signal.name)
    ? '; a build that has ended leaves one there until its deadline, which does nothing'
    : '';
  const texts = [
    ...(waiting > 0 ? [`${counted(waiting, 'message')} waiting`] : []),
    ...(staying > 0 ? [`${counted(staying, 'message')} that the target does not take`] : []),
    ...(inTransit > 0
      ? [
          `${counted(inTransit, 'message')} under way in delay queues (--wait, or run it again when they are due${ofBuilds})`,
        ]
      : []),
    ...(inHand > 0 ? [`${counted(inHand, 'message')} in hand`] : []),
    ...(lostLetters > 0 ? [`${counted(lostLetters, 'lost letter')} of groups that are gone`] : []),
  ];
  return texts.length === 0 ? '' : `; in the source: ${texts.join(', ')}`;
}
