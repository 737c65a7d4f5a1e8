import { maskUrl, mayHoldPassword } from './config/mask-url.js';

/**
 * A message without the passwords that it repeats of the command line: a URL may stand where a topic, an id or a file belongs, and
 * nothing is known of it there but how it looks. Pure.
 */
export function withoutPasswords(message: string, argv: readonly string[]): string {
  const values = argv.flatMap((argument) => [argument, argument.replace(/^--?[^=]*=/, '')]);
  return replacedIn(
    message,
    values.filter(mayHoldPassword).map((value) => [value, maskUrl(value)] as const),
  );
}

/** The same for what is wrong with the flags: of one that there is not nobody knows what its value is, so it is not repeated. Pure. */
export function withoutFlagValues(message: string, argv: readonly string[]): string {
  const flags = argv.flatMap((argument) => {
    const [name] = /^(?:--[^=]*=|-[a-z](?=.))/is.exec(argument) ?? [];
    return name === undefined ? [] : [[argument, `${name}***`] as const];
  });
  return withoutPasswords(replacedIn(message, flags), argv);
}

type Replacement = readonly [from: string, to: string];

/** The longest first, which may have others in it; as they are, and as they are quoted. */
function replacedIn(message: string, replacements: readonly Replacement[]): string {
  return replacements
    .flatMap(([from, to]): readonly Replacement[] => [
      [from, to],
      [JSON.stringify(from).slice(1, -1), to],
    ])
    .sort(([a], [b]) => b.length - a.length)
    .reduce((text, [from, to]) => text.replaceAll(from, () => to), message);
}
