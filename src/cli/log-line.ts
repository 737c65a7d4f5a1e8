import { pino } from 'pino';
import { printable } from './printable.js';

/** One of pino's JSON lines for people: time, level, message, and the rest as `name=value`. */
export function logLineText(line: string): string {
  const { time, level, msg, ...rest } = JSON.parse(line) as Readonly<Record<string, unknown>>;
  const clock = String(time).slice(11, 23);
  const name = pino.levels.labels[Number(level)] ?? String(level);
  const facts = Object.entries(rest).map(
    ([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  return `${printable([clock, name.padEnd(5), msg ?? '', ...facts].join(' '))}\n`;
}
