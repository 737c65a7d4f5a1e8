import type { Clock } from 'signalbox';

/** When a crash is planted around one step, null for none: before it takes effect, or after it did and before it was answered. */
export type CrashPlan = (step: string) => 'before' | 'after' | null;

/**
 * One run of a process, from its start to its end by `kill -9`. Everything that the process does to the outside goes
 * through `step`; once it is dead nothing is done any more, and nobody hears of anything.
 */
export class Life {
  readonly clock: Clock;
  #alive = true;
  readonly #timers = new Set<() => void>();
  readonly #effects = new Set<Promise<unknown>>();
  readonly #plan: CrashPlan;
  readonly #onDeath: () => void;

  constructor(clock: Clock, plan: CrashPlan, onDeath: () => void) {
    this.#plan = plan;
    this.#onDeath = onDeath;
    this.clock = {
      now: () => clock.now(),
      schedule: (callback, delayMs) => {
        if (!this.#alive) return () => {};
        const forget = (): void => {
          cancel();
          this.#timers.delete(forget);
        };
        const cancel = clock.schedule(() => {
          this.#timers.delete(forget);
          callback();
        }, delayMs);
        this.#timers.add(forget);
        return forget;
      },
    };
  }

  get alive(): boolean {
    return this.#alive;
  }

  /** One step to the outside. A crash may be planted before or after it. */
  async step<Answer>(name: string, run: () => Promise<Answer>): Promise<Answer> {
    if (!this.#alive) return never();
    const crash = this.#plan(name);
    if (crash === 'before') return this.die();
    try {
      const answer = await run();
      if (crash === 'after') return this.die();
      return this.#alive ? answer : never();
    } catch (error) {
      if (crash === 'after') return this.die();
      if (!this.#alive) return never();
      throw error;
    }
  }

  /** What is no step of its own, and still ends with the process. */
  async unlessDead<Answer>(run: () => Promise<Answer>): Promise<Answer> {
    if (!this.#alive) return never();
    try {
      const answer = await run();
      return this.#alive ? answer : never();
    } catch (error) {
      if (!this.#alive) return never();
      throw error;
    }
  }

  /**
   * What changes the backend, so that the test can write down that it did: the connection outlives the process until
   * the backend has answered. The process hears nothing of it.
   */
  async effect<Answer>(run: () => Promise<Answer>): Promise<Answer> {
    const running = run();
    this.#effects.add(running);
    try {
      return await running;
    } finally {
      this.#effects.delete(running);
    }
  }

  die(): Promise<never> {
    if (this.#alive) {
      this.#alive = false;
      for (const cancel of this.#timers) cancel();
      void Promise.allSettled(this.#effects).then(this.#onDeath);
    }
    return never();
  }
}

function never(): Promise<never> {
  return new Promise(() => {});
}
