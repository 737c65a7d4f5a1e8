import type { Arbitrary, AsyncCommand } from 'fast-check';
import type { FastCheck } from './fast-check.js';

/** Something that can be done to a subject, with what it takes, as often as its weight says; it fails where the subject does not answer as it should. */
export interface Command<Subject extends object> {
  readonly weight: number;
  readonly steps: Arbitrary<AsyncCommand<Subject, Subject>>;
}

/** Makes commands for one kind of subject, which is its own model: it holds the backend and, beside it, what that should be. */
export function definer<Subject extends object>(fc: FastCheck) {
  return <Data extends object>(
    name: string,
    weight: number,
    data: { readonly [field in keyof Data]: Arbitrary<Data[field]> },
    possible: (subject: Subject, data: NoInfer<Data>) => boolean,
    run: (subject: Subject, data: NoInfer<Data>) => Promise<void>,
  ): Command<Subject> => ({
    weight,
    steps: fc.record(data).map((given) => ({
      check: (subject) => possible(subject, given as Data),
      run: (subject) => run(subject, given as Data),
      toString: () => `\n${name} ${JSON.stringify(given)}`,
    })),
  });
}

/** Each as often as its weight. */
export function weighted<Subject extends object>(
  commands: readonly Command<Subject>[],
): Arbitrary<AsyncCommand<Subject, Subject>>[] {
  return commands.flatMap(({ weight, steps }) => new Array<typeof steps>(weight).fill(steps));
}
