import type { Command } from 'commander';
import { type DeadLetter, type Letters, QueueError } from '../../../queue/index.js';
import { withQueue } from '../../backend.js';
import { type Colors, colorsFor } from '../../colors.js';
import { onGroup } from '../../on-group.js';
import { printable, printableLines } from '../../printable.js';
import type { Cli } from '../../program.js';
import { isoTime, writeJson } from '../../write-json.js';
import { addLetterFlags, type LetterFlags } from './flags.js';
import { wholeLetterJson } from './letter-json.js';

const pageSize = 100;

export function addShow(parent: Command, { io }: Cli): void {
  const command = parent
    .command('show')
    .description('Prints a dead letter with its history and its body.')
    .argument('<topic>', 'name of the topic')
    .argument('<id>', 'id of the message')
    .addHelpText('after', '\nExample:\n  $ signalbox dead-letters show jobs jobs.jsonl:13');
  addLetterFlags(command).action(async (topic: string, id: string, flags: LetterFlags) => {
    const operation = `show dead letter "${id}" of "${topic}"`;
    const letters = await withQueue({ io, flags, topics: [] }, (queue) =>
      onGroup(queue, { verb: 'show dead letters of', topic, group: flags.group }, () =>
        lettersOf(queue.admin.deadLetters(topic, flags.group), id),
      ),
    );
    if (letters.length === 0) {
      throw new QueueError(
        `cannot ${operation}: group "${flags.group}" has no dead letter of that id; "signalbox dead-letters list" shows what is there`,
        { code: 'not-found' },
      );
    }
    if (flags.json) return writeJson(io.stdout, { letters: letters.map(wholeLetterJson) });
    const colors = colorsFor(io.stdout, io.env);
    io.stdout.write(letters.map((letter) => letterText(letter, colors)).join('\n'));
  });
}

/** All of that id: publishing an id twice makes two messages, and both may have died. */
async function lettersOf(box: Letters, id: string): Promise<readonly DeadLetter[]> {
  const found: DeadLetter[] = [];
  for (let cursor: string | null = null; ; ) {
    const page = await box.list({ limit: pageSize, cursor });
    found.push(...page.letters.filter((letter) => letter.id === id));
    if (page.next === null) return found;
    cursor = page.next;
  }
}

function letterText(letter: DeadLetter, colors: Colors): string {
  const { death } = letter;
  const facts: readonly (readonly [string, string | null])[] = [
    ['id', letter.id],
    ['topic', letter.topic],
    ['group', letter.group],
    ['key', letter.key],
    ['routing key', letter.routingKey],
    ...Object.entries(letter.headers).map(([name, value]) => [`header ${name}`, value] as const),
    ['published', letter.publishedAt === null ? null : isoTime(letter.publishedAt)],
    ['buried', isoTime(letter.buriedAt)],
    ['cause', death?.cause ?? null],
    ['reason', death?.reason ?? null],
    ['attempt', death && String(death.attempt)],
    ['postpones', death && String(death.postpones)],
    ['redeliveries', death && String(death.redeliveries)],
    ['first failed', death && isoTime(death.firstFailedAt)],
    ['last failed', death && isoTime(death.lastFailedAt)],
    ['given up by', death?.origin ?? null],
    ['error', death?.error ? `${death.error.name}: ${death.error.message}` : null],
  ];
  const known = facts.filter((fact): fact is readonly [string, string] => fact[1] !== null);
  const width = Math.max(...known.map(([name]) => name.length));
  const lines = known.map(([name, value]) => `${colors.bold(printable(name).padEnd(width))}  ${printable(value)}`);
  return `${lines.join('\n')}\n${colors.bold('body')}\n${printableLines(letter.bodyText)}\n`;
}
