// Runs in a process of its own (see `workshop.ts`), transpiled beside the copies that it judges.
import type { VirtualClock } from 'signalbox';
import type * as conformance from 'signalbox/conformance';
import type * as memoryDriver from 'signalbox/memory';
import { type CodeUnderTest, memoryHarnessOf } from '../conformance/memory-harness-of.js';

/** What became of a copy: the cases that failed on it, and why. */
export interface Verdict {
  readonly failed: Readonly<Record<string, string>>;
  readonly passed: number;
}

/** Right code takes 20 000 at most: a copy that goes round without end is stopped. */
const maxStepsPerCase = 1_000_000;

/** What to look at: a copy of `src/queue`, and the cases by their ids; null: all. */
export interface Inspection {
  readonly copyUrl: string;
  readonly only: readonly string[] | null;
}

/** Runs the cases on the copy, each on a store and a clock of its own: no failure reaches another case. */
export async function inspect({ copyUrl, only }: Inspection): Promise<Verdict> {
  const { allCases, runConformance }: typeof conformance = await import(`${copyUrl}/conformance/index.js`);
  const { memory, memoryStore }: typeof memoryDriver = await import(`${copyUrl}/memory/index.js`);
  const { VirtualClock } = (await import(`${copyUrl}/virtual-clock.js`)) as Pick<CodeUnderTest, 'VirtualClock'>;
  const failed: Record<string, string> = {};
  let passed = 0;
  for (const id of only ?? allCases.map((each) => each.id)) {
    const harness = memoryHarnessOf(
      { VirtualClock: bounded(VirtualClock), memory, memoryStore },
      { wrap: withSmallBodies },
    );
    let isTold = false;
    const onResult = ({ status, error }: conformance.CaseResult): void => {
      isTold = true;
      if (status === 'failed') failed[id] = error instanceof Error ? error.message : String(error);
      else if (status === 'passed') passed++;
    };
    await runConformance(harness, { only: [id], onResult }).catch((error: unknown) => {
      // What a wrong copy rejects and nobody waits for: its cases judge it.
      if (!isTold) throw error;
    });
  }
  return { failed, passed };
}

/** A case that sends a body as large as the backend takes would be a third of the time with memory's 64 MiB. */
function withSmallBodies(driver: memoryDriver.MemoryDriver): memoryDriver.MemoryDriver {
  const { capabilities } = driver;
  const limits = { ...capabilities.limits, bodyBytes: 2 * 1024 * 1024 };
  return Object.assign(driver, { capabilities: { ...capabilities, limits } });
}

/** Every loop of a queue or a driver that could have no end looks at the clock in each round. */
function bounded(Clock: typeof VirtualClock): typeof VirtualClock {
  return class extends Clock {
    #steps = 0;

    override now(): number {
      this.#count();
      return super.now();
    }

    override schedule(callback: () => void, delayMs: number): () => void {
      this.#count();
      return super.schedule(callback, delayMs);
    }

    #count(): void {
      if (++this.#steps > maxStepsPerCase) throw new Error(`no end after ${maxStepsPerCase} looks at the clock`);
    }
  };
}

// The same, after the run.
process.on('unhandledRejection', () => {});
process.on('uncaughtException', () => {});
process.on('disconnect', () => process.exit());
process.on('message', (inspection: Inspection) => {
  void inspect(inspection).then(
    (verdict) => process.send?.({ verdict }),
    (error: unknown) => process.send?.({ error: error instanceof Error ? error.stack : String(error) }),
  );
});
