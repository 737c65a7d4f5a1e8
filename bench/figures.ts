import { type Figure, isMet, ratioOf } from './figure.js';

/** The sections of a benchmark of a server: each measures what belongs together, and can be run by itself with `--only`. */
export type Sections = Readonly<Record<string, () => Promise<readonly Figure[]>>>;

export interface Heading {
  readonly backend: string;
  readonly server: string;
  readonly node: string;
}

/** Runs the sections, one after the other, and prints what they measured: as they end, or as one JSON object at the end. Rejects for a section that does not exist. */
export async function reportFigures(
  heading: Heading,
  sections: Sections,
  { json, only }: { readonly json: boolean; readonly only: string | null },
): Promise<void> {
  if (only !== null && !Object.hasOwn(sections, only)) {
    throw new Error(`there is no section ${JSON.stringify(only)}; there are ${Object.keys(sections).join(', ')}`);
  }
  if (!json) console.log(`${heading.backend}: ${heading.server}, Node ${heading.node}\n\n${titles}`);
  const measured: (Figure & { readonly ratio: number | null; readonly met: boolean | null })[] = [];
  for (const [name, section] of Object.entries(sections)) {
    if (only !== null && only !== name) continue;
    for (const figure of await section()) {
      measured.push({ ...figure, ratio: ratioOf(figure), met: isMet(figure) });
      if (!json) console.log(lineOf(figure));
    }
  }
  if (json) console.log(JSON.stringify({ ...heading, figures: measured }));
}

const titles = `${'figure'.padEnd(58)} ${'measured'.padStart(20)} ${'raw'.padStart(34)} ${'ratio'.padStart(6)}  target`;

function lineOf(figure: Figure): string {
  const { name, value, unit, raw, target } = figure;
  const ratio = ratioOf(figure);
  const columns = [
    name.padEnd(58),
    `${numberOf(value)} ${unit}`.padStart(20),
    (raw === null ? '' : `${numberOf(raw.value)} (${raw.name})`).padStart(34),
    (ratio === null ? '' : ratio.toFixed(2)).padStart(6),
  ];
  if (target === null) return columns.join(' ').trimEnd();
  const asked = `${target.bound} ${target.value}${target.of === 'ratio' ? ' x' : ''}`;
  return `${columns.join(' ')}  ${asked}: ${isMet(figure) ? 'met' : 'MISSED'}`;
}

function numberOf(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(3);
}
