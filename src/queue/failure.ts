import type { CallFailure } from './call-queue.js';
import { type Classification, type Driver, Refusal } from './driver.js';
import { QueueError, type QueueErrorCode } from './errors.js';

/** What the user can do about it, where the driver did not say. */
const remedies: Record<QueueErrorCode, string> = {
  invalid: 'mend the arguments',
  'payload-too-large': 'send less, or a reference to it',
  unsupported: 'look at the capabilities of this backend, or use another one',
  unroutable: "declare a group whose patterns accept the routing key, or the topic with unmatched: 'discard'",
  'not-found': 'run setup(), or provision it',
  'topology-mismatch': 'change the declaration to what exists, or migrate what exists',
  denied: 'give the backend user the right to do this',
  auth: 'check user name and password',
  unavailable: 'see that the backend runs and can be reached, then try again',
  timeout: 'see that the backend answers, then try again',
  conflict: 'try again',
  'resource-exhausted': 'make room in the backend, then try again',
  'lease-lost': 'nothing: the message is with another subscriber',
  'already-settled': 'settle each delivery once',
  aborted: 'nothing: the caller gave up',
  closed: 'open the queue again',
  internal: 'report this',
};

/** A refusal means what it says; everything else is for the driver's own table. */
export function classifyWith(driver: Pick<Driver, 'classify'>): (error: unknown) => Classification {
  return (error) => {
    if (error instanceof Refusal) return { code: error.code, retryable: error.retryable, outcomeUnknown: false };
    try {
      return driver.classify(error);
    } catch {
      // A mistake in the driver's table must not keep a caller waiting for ever.
      return { code: 'internal', retryable: false, outcomeUnknown: true };
    }
  };
}

/** The error that a user sees: `cannot publish to "jobs": …; remedy`. Raw texts of a client library stay in `cause`, they may hold secrets. */
export function wrapFailure(
  operation: string,
  driver: Pick<Driver, 'name' | 'classify'>,
  failure: CallFailure,
): QueueError {
  const { cause, code, retryable, outcomeUnknown } = failure;
  const backend = driver.name;
  const { detail } = classifyWith(driver)(cause);
  const reason = [phrases[code], ...(detail === undefined ? [] : [detail])].join(': ');
  const what = cause instanceof Refusal ? `${cause.message}; ${cause.remedy}` : `${reason}; ${remedies[code]}`;
  const doubt = outcomeUnknown ? ' (it may have taken effect all the same)' : '';
  return new QueueError(`cannot ${operation} on ${backend}: ${what}${doubt}`, {
    code,
    retryable,
    outcomeUnknown,
    backend,
    cause,
  });
}

/** Wraps what a single driver call threw. */
export function wrapError(operation: string, driver: Driver, error: unknown): QueueError {
  if (error instanceof QueueError) return error;
  return wrapFailure(operation, driver, { ...classifyWith(driver)(error), cause: error });
}

const phrases: Record<QueueErrorCode, string> = {
  invalid: 'the backend calls it invalid',
  'payload-too-large': 'it is larger than the backend takes',
  unsupported: 'the backend cannot do this',
  unroutable: 'no group accepts the message',
  'not-found': 'something that it needs does not exist in the backend',
  'topology-mismatch': 'what exists in the backend differs from what is declared',
  denied: 'the backend denies it',
  auth: 'the backend refuses the credentials',
  unavailable: 'the backend cannot be reached',
  timeout: 'the backend did not answer in time',
  conflict: 'somebody else changed the same thing',
  'resource-exhausted': 'the backend is out of room',
  'lease-lost': 'the lease of this delivery is over',
  'already-settled': 'this delivery is settled',
  aborted: 'it was aborted',
  closed: 'the queue is closed',
  internal: 'something happened that should not',
};
