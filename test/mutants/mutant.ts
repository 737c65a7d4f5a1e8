/**
 * One wrong variant of the code, as a change of its text: nothing that could rot apart from the source. When
 * `find` does not occur exactly once any more, the test says so and the mutant has to be written anew.
 */
export interface Mutant {
  /** What is wrong with it: `delivers early`. */
  readonly name: string;
  /** Below `src/queue`. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** The ids of all conformance cases that fail on it: without these it would live. */
  readonly killedBy: readonly string[];
}

export interface Species {
  readonly title: string;
  readonly mutants: readonly Mutant[];
}

/** The text of the mutant's file. Throws when the text to change is not there exactly once. */
export function mutated({ name, file, find, replace }: Mutant, source: string): string {
  const parts = source.split(find);
  if (parts.length !== 2)
    throw new Error(
      `mutant "${name}": the text to change occurs ${parts.length - 1} times in src/queue/${file}, not once`,
    );
  return parts.join(replace);
}
