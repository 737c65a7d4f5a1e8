import { Refusal } from '../driver.js';
import { replyCodeOf, wordsOf } from './connection/index.js';

const resourceLocked = 405;
const preconditionFailed = 406;
/** 3.10 ends the whole connection because of a kind of exchange that it does not know; 4.x closes the channel with 406. */
const commandInvalid = 503;

/** The same text on 3.10 and 4.3; the only place where AMQP says which argument it was. */
const inequivalent =
  /inequivalent arg '([^']*)' for (queue|exchange) '([^']*)' in vhost '[^']*': received (.*?) but current is (.*?)"?$/;

/**
 * What to reject with where a declaration of `what` failed: a `topology-mismatch` refusal that names object, argument and both values
 * if it exists with other arguments; `invalid` where the broker knows no such kind or argument; `conflict` where another connection has it to
 * itself; otherwise the error itself. What exists is never deleted nor made again.
 */
export function demandMatch(error: unknown, what: string): unknown {
  const replyCode = replyCodeOf(error);
  if (replyCode === resourceLocked) {
    const remedy = 'close the connection that has declared it as exclusive, or use another one';
    return new Refusal('conflict', `${what} is exclusive to another connection`, remedy, { cause: error });
  }
  const cause: unknown = error instanceof Error ? error.cause : null;
  if (replyCode !== preconditionFailed && replyCodeOf(cause) !== commandInvalid) return error;
  const words = wordsOf(error);
  const [, argument, kind, name, asked, exists] = inequivalent.exec(words) ?? [];
  if (name === undefined) {
    const subject = `the broker does not take the declaration of ${what}: ${words}`;
    return new Refusal('invalid', subject, 'mend its kind or its arguments', { cause: error });
  }
  return new Refusal(
    'topology-mismatch',
    `${kind} "${name}" exists with ${argument} ${plain(exists)}, asked for ${plain(asked)}`,
    'ask for what exists, use another prefix, or delete it when it is empty',
  );
}

/** `the value '5' of type 'signedint'`, or `'classic'`, or `none`. */
function plain(value: string | undefined): string {
  return /^(?:the value )?'(.*?)'(?: of type '.*')?$/.exec(value ?? '')?.[1] ?? value ?? '';
}
