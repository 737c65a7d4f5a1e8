interface Change {
  readonly find: string;
  readonly replace: string;
}

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
  /** Further changes in the same file, where one alone is caught by what stands behind it. */
  readonly also?: readonly Change[];
  /** The ids of all conformance cases that fail on it: without these it would live. */
  readonly killedBy: readonly string[];
}

export interface Species {
  readonly title: string;
  readonly mutants: readonly Mutant[];
}

/** The text of the mutant's file. Throws when a text to change is not there exactly once. */
export function mutated({ name, file, find, replace, also = [] }: Mutant, source: string): string {
  return [{ find, replace }, ...also].reduce((text, change) => {
    const parts = text.split(change.find);
    if (parts.length !== 2)
      throw new Error(
        `mutant "${name}": the text to change occurs ${parts.length - 1} times in src/queue/${file}, not once`,
      );
    return parts.join(change.replace);
  }, source);
}
