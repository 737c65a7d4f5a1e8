import type { RabbitProgram } from './local-programs.js';
import type { SqlProgram } from './sql-program.js';

/** Where a server for tests comes from. Plain data. */
export type Source =
  | { readonly kind: 'given'; readonly url: string }
  | { readonly kind: 'docker'; readonly image: string }
  | { readonly kind: 'local'; readonly program: SqlProgram | RabbitProgram }
  | { readonly kind: 'missing'; readonly why: string };

/** For the list of versions at the end of a run. */
export function saySource(source: Source): string {
  switch (source.kind) {
    case 'given':
      return 'given by its URL';
    case 'docker':
      return `container of ${source.image}`;
    case 'local':
      return source.program.root === '/' ? 'program of this machine' : 'program in a root of its own';
    case 'missing':
      return `not available: ${source.why}`;
  }
}
