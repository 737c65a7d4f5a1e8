import type { SendResult } from '../driver.js';

/**
 * The answers to a batch of sends, each of which comes on its own. A place is an object, not a function: a closure and what it closes
 * over are held for each message until the broker has confirmed it.
 */
export class BatchAnswers {
  readonly #results: SendResult[];
  readonly #resolve: (results: readonly SendResult[]) => void;
  #left: number;

  /** Resolves when each place has its result; there must be one. */
  constructor(size: number, resolve: (results: readonly SendResult[]) => void) {
    this.#results = new Array(size);
    this.#left = size;
    this.#resolve = resolve;
  }

  place(index: number): AnswerPlace {
    return new AnswerPlace(this, index);
  }

  /** For `AnswerPlace`. */
  put(index: number, result: SendResult): void {
    this.#results[index] = result;
    if (--this.#left === 0) this.#resolve(this.#results);
  }
}

/** Where the answer to one send belongs. To be given once. */
export class AnswerPlace {
  readonly #answers: BatchAnswers;
  readonly #index: number;
  #then: ((result: SendResult) => void) | null = null;

  constructor(answers: BatchAnswers, index: number) {
    this.#answers = answers;
    this.#index = index;
  }

  give(result: SendResult): void {
    this.#answers.put(this.#index, result);
    this.#then?.(result);
  }

  /** What a promise comes to; one that rejects is a failure. */
  giveLater(result: Promise<SendResult>): void {
    result.then(
      (given) => this.give(given),
      (error) => this.give({ status: 'failed', error }),
    );
  }

  /** What was given, when it is. */
  given(): Promise<SendResult> {
    return new Promise((resolve) => {
      this.#then = resolve;
    });
  }
}
