import type { Colors } from './colors.js';
import { gap } from './fit-columns.js';

/** One field of a record: what it is called and what it says. */
export interface Field {
  readonly head: string;
  readonly text: string;
  readonly paint: (text: string) => string;
}

/**
 * Records one below the other, a field a line, for a terminal on which no table fits. What is too long to stand beside its head stands below it, and
 * goes on in the next line: nothing is cut. Fields that say nothing are left out.
 */
export function recordsOf(records: readonly (readonly Field[])[], width: number, colors: Colors): string {
  return records.map((fields) => recordOf(fields, width, colors)).join('\n');
}

function recordOf(fields: readonly Field[], width: number, colors: Colors): string {
  const told = fields.filter(({ text }) => text !== '');
  const headWidth = Math.max(0, ...told.map(({ head }) => head.length));
  const lines = told.flatMap(({ head, text, paint }) => {
    const fits = headWidth + gap + [...text].length <= width;
    if (fits) return [`${colors.bold(head.padEnd(headWidth + gap))}${paint(text)}`];
    return [colors.bold(head), ...wrapped(text, width).map(paint)];
  });
  return lines.map((line) => `${line.trimEnd()}\n`).join('');
}

function wrapped(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of withBreaks(text, width).split(/\s+/)) {
    const longer = line === '' ? word : `${line} ${word}`;
    if ([...longer].length > width && line !== '') {
      lines.push(line);
      line = word;
    } else line = longer;
  }
  return [...lines, line];
}

/** Words that are longer than a line, in pieces that are not. */
export function withBreaks(text: string, width: number): string {
  return text.replace(new RegExp(`\\S{${Math.max(1, width)}}(?=\\S)`, 'gu'), '$&\n');
}
