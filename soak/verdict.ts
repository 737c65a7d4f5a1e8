import type { Account } from './account.js';

/** The codes that a user may get to see while processes and servers are killed: all say to try again, or who has it now. */
const expectedCodes: ReadonlySet<string> = new Set(['unavailable', 'timeout', 'lease-lost']);

/** The promises that were broken, a sentence each with the first examples; empty: all were kept. Pure. */
export function brokenPromises(account: Account): readonly string[] {
  const broken: string[] = [];
  const mustBeNone = (what: string, found: readonly string[]): void => {
    if (found.length === 0) return;
    broken.push(`${found.length} ${what}, such as ${found.slice(0, 3).join('; ')}`);
  };
  if (account.published.stored === 0) broken.push('nothing was published, so nothing was shown');
  mustBeNone('lost', account.lost);
  mustBeNone('handed out again without a reason', account.unexplained);
  mustBeNone('handed out before their delay had passed', account.early);
  mustBeNone('first deliveries out of order within their key', account.inversions);
  mustBeNone('in hand while another message of their key was', account.overlaps);
  mustBeNone('handed out though the error said that nothing was stored', account.phantoms);
  mustBeNone('handed out under two ids', account.renamed);
  mustBeNone('rejected and not among the dead letters', account.deadLetters.missing);
  mustBeNone('dead letters that nobody rejected', account.deadLetters.uncalled);
  mustBeNone('kinds of errors that no user should see', Object.keys(account.errors).filter(isUnexpected));
  return broken;
}

/** `operation: code/cause`, where the cause is the server's own code: a deadlock is never the user's business. */
function isUnexpected(error: string): boolean {
  const [code = '', cause = ''] = error.slice(error.indexOf(': ') + 2).split('/');
  return !expectedCodes.has(code) || cause.includes('DEADLOCK');
}
