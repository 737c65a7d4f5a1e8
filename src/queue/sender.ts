import { type AddedCall, CallQueue, type Outcome } from './call-queue.js';
import type { QueueContext } from './context.js';
import type { Send, SendResult } from './driver.js';
import { QueueError } from './errors.js';
import { classifyWith, wrapError, wrapFailure } from './failure.js';

/** What the backend said to a message. */
export type SendAnswer = Exclude<SendResult, { status: 'failed' }>;

/** What is made of an answer, in the turn in which it came. */
export type Reading<T> = (send: Send, answer: SendAnswer) => T;

/** Contract: publish and settle deadline. */
export const callDeadlineMs = 30_000;

/** What has been sent when the deadline of a close comes may still be answered for this long. */
export const lastAnswersMs = 1_000;

/** Brings messages to the backend: grouped, in order per key, retried until their deadline. One per open queue. */
export class Sender {
  readonly #context: QueueContext;
  readonly #calls: CallQueue<Send, SendAnswer>;

  constructor(context: QueueContext) {
    const { driver, clock, random } = context;
    this.#context = context;
    this.#calls = new CallQueue({
      clock,
      random,
      call: async (batch) => (await driver.send(batch)).map(outcomeOf),
      classify: classifyWith(driver),
      orderOf: ({ message }) => (message.key === null ? null : `${message.topic}\0${message.key}`),
      maxBatch: driver.capabilities.limits.batch,
      maxConcurrent: driver.capabilities.limits.concurrentSends,
      deadlineMs: callDeadlineMs,
    });
  }

  /**
   * Resolves with what `read` makes of the answer, when the message is durable. Rejects with a `QueueError`; aborting what is under
   * way leaves its outcome unknown.
   */
  send<T>(operation: string, send: Send, signal: AbortSignal | undefined, read: Reading<T>): Promise<T> {
    if (signal !== undefined) return this.#sendUnlessAborted(operation, send, signal, read);
    return new Promise((resolve, reject) => {
      this.#add(operation, send, read, resolve, reject);
    });
  }

  async #sendUnlessAborted<T>(operation: string, send: Send, signal: AbortSignal, read: Reading<T>): Promise<T> {
    if (signal.aborted) throw aborted(operation, false);
    let leave = (): void => {};
    try {
      return await new Promise((resolve, reject) => {
        const added = this.#add(operation, send, read, resolve, reject);
        leave = () => {
          const state = this.#calls.withdraw(added);
          if (state !== 'ended') reject(aborted(operation, state === 'under-way'));
        };
        signal.addEventListener('abort', leave, { once: true });
      });
    } finally {
      signal.removeEventListener('abort', leave);
    }
  }

  #add<T>(
    operation: string,
    send: Send,
    read: Reading<T>,
    resolve: (read: T) => void,
    reject: (error: QueueError) => void,
  ): AddedCall {
    return this.#calls.add(
      send,
      (answer) => resolve(read(send, answer)),
      (failure) => reject(wrapFailure(operation, this.#context.driver, failure)),
    );
  }

  /** Lets what was published leave until `deadlineMs` have passed, then rejects the rest with `closed`. */
  async close(deadlineMs: number): Promise<void> {
    const { clock } = this.#context;
    let cancel = (): void => {};
    const deadline = new Promise<void>((resolve) => {
      cancel = clock.schedule(resolve, deadlineMs);
    });
    await Promise.race([this.#calls.idle(), deadline]);
    cancel();
    this.#calls.abandon('closed', undefined);
  }
}

/**
 * Inside a caller's transaction: one by one, never repeated, since a failed statement may have ended the transaction.
 * Aborting what is under way leaves unknown whether it is part of the transaction: only a rollback says that it is not.
 */
export async function sendWithin<T>(
  context: QueueContext,
  operation: string,
  send: Send,
  transaction: unknown,
  signal: AbortSignal | undefined,
  read: Reading<T>,
): Promise<T> {
  if (signal?.aborted) throw aborted(operation, false);
  let sent = false;
  const answer = inLine(transaction, () => {
    if (signal?.aborted) throw aborted(operation, false);
    sent = true;
    return callWithin(context, operation, send, transaction);
  });
  if (signal === undefined) return read(send, await answer);
  let leave = (): void => {};
  const left = new Promise<never>((_, reject) => {
    leave = () => reject(aborted(operation, sent));
    signal.addEventListener('abort', leave, { once: true });
  });
  try {
    return read(send, await Promise.race([answer, left]));
  } finally {
    signal.removeEventListener('abort', leave);
  }
}

/** When the last call within each transaction has ended. */
const lines = new WeakMap<object, Promise<unknown>>();

/**
 * One call after the other within one transaction, whoever makes them: side by side, the statements of several calls
 * mix, and a batch of one key was stored in another order than it was given.
 */
function inLine<T>(transaction: unknown, call: () => Promise<T>): Promise<T> {
  if (typeof transaction !== 'object' || transaction === null) return call();
  const before = lines.get(transaction);
  const answer = before === undefined ? call() : before.then(call);
  lines.set(
    transaction,
    answer.catch(() => {}),
  );
  return answer;
}

async function callWithin(
  context: QueueContext,
  operation: string,
  send: Send,
  transaction: unknown,
): Promise<SendAnswer> {
  let result: SendResult | undefined;
  try {
    [result] = await context.driver.send([send], transaction);
  } catch (error) {
    throw wrapError(operation, context.driver, error);
  }
  if (result === undefined)
    throw new QueueError(`cannot ${operation}: the driver answered nothing; report this`, { code: 'internal' });
  if (result.status === 'failed') throw wrapError(operation, context.driver, result.error);
  return result;
}

function outcomeOf(result: SendResult): Outcome<SendAnswer> {
  return result.status === 'failed' ? { error: result.error } : { answer: result };
}

/** The caller gave up. */
export function aborted(operation: string, outcomeUnknown: boolean): QueueError {
  const doubt = outcomeUnknown ? 'its outcome is unknown' : 'nothing was sent';
  return new QueueError(`cannot ${operation}: the caller aborted it, ${doubt}`, { code: 'aborted', outcomeUnknown });
}
