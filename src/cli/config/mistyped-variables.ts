import leven from 'leven';
import { allSettings } from './settings.js';

const prefix = 'SIGNALBOX_';
const known = [...allSettings.flatMap(({ environment }) => environment.map(({ name }) => name)), 'CONFIG_PATH'];

/**
 * Variables that look like one of ours and are none, each with those that may be meant: as many letters apart as a slip of the hand makes,
 * with a word in common, or with our prefix before a name that has none. Others may use the prefix, so everything else is left alone. Pure.
 */
export function mistypedVariables(
  env: Readonly<Record<string, string | undefined>>,
): readonly { readonly name: string; readonly meant: readonly string[] }[] {
  return Object.keys(env)
    .filter((name) => name.startsWith(prefix) && !known.includes(name))
    .map((name) => ({ name, meant: meantBy(name) }))
    .filter(({ meant }) => meant.length > 0);
}

function meantBy(name: string): readonly string[] {
  const bare = name.slice(prefix.length);
  const withoutPrefix = known.filter(
    (each) => !each.startsWith(prefix) && (leven(bare, each) <= 1 || each.startsWith(`${bare}_`)),
  );
  return withoutPrefix.length > 0
    ? withoutPrefix
    : known.filter((each) => each.startsWith(prefix) && isNear(name, each));
}

function isNear(name: string, other: string): boolean {
  if (leven(name, other) <= 2) return true;
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
