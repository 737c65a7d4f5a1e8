import type { Chances } from './chances.js';
import { failureOf } from './injected-fault.js';
import type { At, FaultCall } from './plan.js';

/** The way of a call to the driver and of its answer back, with what may happen to any call on it. */
export class Path {
  readonly #chances: Chances;
  readonly #wait: (ms: number) => Promise<void>;
  readonly #cut: () => Promise<void>;

  constructor(chances: Chances, wait: (ms: number) => Promise<void>, cut: () => Promise<void>) {
    this.#chances = chances;
    this.#wait = wait;
    this.#cut = cut;
  }

  /** Rejects as `call` does, or because of a fault. `answered` describes the call once its answer is there. */
  async pass<T>(call: FaultCall, make: () => Promise<T>, answered: (answer: T) => FaultCall = () => call): Promise<T> {
    await this.#hold('call', call);
    const [failure] = this.#chances.strike('fail', call);
    if (failure !== undefined) throw failureOf('fail', call.verb, failure);
    let answer: T;
    try {
      answer = await make();
    } catch (error) {
      await this.#hold('answer', call);
      throw error;
    }
    await this.#hold('answer', answered(answer));
    return answer;
  }

  async #hold(where: At, call: FaultCall): Promise<void> {
    const here = ({ at = 'call' }: { readonly at?: At | undefined }): boolean => at === where;
    for (const { delayMs } of this.#chances.strike('delay', call, here)) await this.#wait(delayMs);
    for (const _ of this.#chances.strike('cut', call, here)) await this.#cut();
  }
}
