import { allSettings } from './settings.js';

const prefix = 'SIGNALBOX_';
const known = allSettings.flatMap(({ environment }) => environment.map(({ name }) => name));

/**
 * Variables that look like one of ours and are none, each with those that may be meant: as many letters apart as a slip of the hand makes,
 * or with a word in common. Others may use the prefix, so everything else is left alone. Pure.
 */
export function mistypedVariables(
  env: Readonly<Record<string, string | undefined>>,
): readonly { readonly name: string; readonly meant: readonly string[] }[] {
  return Object.keys(env)
    .filter((name) => name.startsWith(prefix) && !known.includes(name))
    .map((name) => ({ name, meant: known.filter((each) => each.startsWith(prefix) && isNear(name, each)) }))
    .filter(({ meant }) => meant.length > 0);
}

function isNear(name: string, other: string): boolean {
  if (distance(name, other) <= 2) return true;
  const words = wordsOf(other);
  return wordsOf(name).some((word) => words.includes(word));
}

/** Units say nothing. */
function wordsOf(name: string): readonly string[] {
  return name
    .slice(prefix.length)
    .split('_')
    .filter((word) => word.length > 2);
}

/** How many letters have to be put in, left out or changed (Levenshtein). */
function distance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, n) => n);
  for (const [index, letter] of [...one].entries()) {
    const next = [index + 1];
    for (let n = 1; n <= other.length; n++) {
      const changed = (row[n - 1] ?? 0) + (letter === other[n - 1] ? 0 : 1);
      next.push(Math.min((row[n] ?? 0) + 1, (next[n - 1] ?? 0) + 1, changed));
    }
    row = next;
  }
  return row[other.length] ?? 0;
}
