import { z } from 'zod';
import type { Consumer } from '../queue/index.js';
import { QueueError } from '../queue/index.js';
import type { Build } from './build.js';
import { buildSignal } from './build-signal.js';
import { cancelBuild } from './cancel-build.js';
import { checkedRunner } from './checked-runner.js';
import { deadLetter } from './dead-letters.js';
import { decideDeadLetter, decideRequested, decideSignal } from './decide.js';
import { finished } from './finished.js';
import { intake } from './intake.js';
import { completeOptions, type OrchestratorOptions } from './options.js';
import type { Ports } from './ports.js';
import { type SweepReport, sweep } from './sweep.js';
import { toldStore } from './told-store.js';
import { triggerBuild } from './trigger-build.js';

/** Takes job requests from a queue and sees their builds through to the end. */
export interface Orchestrator extends AsyncDisposable {
  /**
   * Begins to serve the five topics and sweeps once, then every `sweepEveryMs`. Resolves when all topics are
   * served and the first sweep is done; rejects, serving nothing, when one of them is not there or the store does
   * not answer. Starting twice is one start; starting after `close` is a `closed` error.
   */
  start(): Promise<void>;
  /** A sweep now, also without `start`. While one is under way it answers that one. After `close` a `closed` error. */
  sweep(): Promise<SweepReport>;
  /**
   * Asks for a build to be cancelled, by request id or build id, and answers its record once that is stored. It
   * ends when the runner says so, or by an end of its own. `not-found` when there is no such build.
   */
  cancel(id: string, reason?: string): Promise<Build>;
  /**
   * Stops serving: what is under way may end until `deadlineMs` (default 30 s) is over, the rest goes back to the
   * queue. Queue and store stay open. Closing twice is one closing.
   */
  close(options?: { readonly deadlineMs?: number | undefined }): Promise<void>;
}

/** The tables that the stages decide by. */
export interface Tables {
  readonly requested: typeof decideRequested;
  readonly signal: typeof decideSignal;
  readonly deadLetter: typeof decideDeadLetter;
}

/** Those of `decide.ts`. */
export const tables: Tables = { requested: decideRequested, signal: decideSignal, deadLetter: decideDeadLetter };

/**
 * Puts an orchestrator together; it does nothing before `start`. Several may run on one queue and one store. Throws
 * an `invalid` error that names every wrong option.
 */
export function createOrchestrator(options: OrchestratorOptions): Orchestrator {
  return orchestratorOf(options, tables);
}

/** The same with other tables: how tests show that wrong ones are noticed. */
export function orchestratorOf(options: OrchestratorOptions, decide: Tables): Orchestrator {
  const complete = completeOptions(options);
  const { queue, topics, clock, logger, concurrency, prefetch, stepTimeoutMs, sweepEveryMs, sweepGraceMs } = complete;
  const ports: Ports = {
    ...complete,
    runner: checkedRunner(complete.runner),
    store: toldStore(complete.store, tell),
    now: () => Math.floor(clock.now()),
  };

  let starting: Promise<void> | null = null;
  let closing: Promise<void> | null = null;
  let sweeping: Promise<SweepReport> | null = null;
  let cancelTimer = (): void => {};
  const consumers: Consumer[] = [];

  function tell(build: Build): void {
    try {
      complete.onChange(build);
    } catch (error) {
      logger.warn({ requestId: build.requestId, error: String(error) }, 'onChange threw');
    }
  }

  async function begin(): Promise<void> {
    const serving = { concurrency, timeoutMs: stepTimeoutMs, ...(prefetch === undefined ? {} : { prefetch }) };
    const opening = await Promise.allSettled([
      queue.consume(topics.jobs, (delivery) => intake(ports, delivery), serving),
      queue.consume(topics.requested, (delivery) => triggerBuild(ports, delivery, decide.requested), serving),
      queue.consume(topics.signal, (delivery) => buildSignal(ports, delivery, decide.signal), serving),
      queue.consume(topics.finished, (delivery) => finished(ports, delivery), serving),
      queue.consume(topics.dead, (delivery) => deadLetter(ports, delivery, decide.deadLetter), serving),
    ]);
    for (const opened of opening) if (opened.status === 'fulfilled') consumers.push(opened.value);
    const failed = opening.find((opened) => opened.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    await sweepOnce();
    sweepLater();
  }

  function sweepOnce(): Promise<SweepReport> {
    sweeping ??= sweep(ports, queue, sweepGraceMs, () => closing !== null).finally(() => {
      sweeping = null;
    });
    return sweeping;
  }

  function sweepLater(): void {
    if (closing !== null) return;
    cancelTimer = clock.schedule(() => {
      sweepOnce()
        .catch((error: unknown) => logger.warn({ error: String(error) }, 'the sweep failed; the next one tries again'))
        .finally(sweepLater);
    }, sweepEveryMs);
  }

  async function end(deadlineMs: number | undefined): Promise<void> {
    cancelTimer();
    // What is being opened has to be closed as well, and closing what was opened makes a failed start of it.
    await starting?.catch(() => {});
    await Promise.all([...consumers.map((consumer) => consumer.close({ deadlineMs })), sweeping?.catch(() => {})]);
  }

  async function close(options: { readonly deadlineMs?: number | undefined } = {}): Promise<void> {
    const read = closeSchema.safeParse(options);
    if (!read.success) {
      throw new QueueError('cannot close the orchestrator: give nothing, or { deadlineMs } with milliseconds from 0', {
        code: 'invalid',
      });
    }
    closing ??= end(read.data.deadlineMs);
    return closing;
  }

  return {
    start() {
      if (closing !== null) {
        return Promise.reject(closed('start the orchestrator'));
      }
      starting ??= begin().catch(async (error: unknown) => {
        await Promise.all(consumers.splice(0).map((consumer) => consumer.close()));
        throw error;
      });
      return starting;
    },
    sweep: () => (closing === null ? sweepOnce() : Promise.reject(closed('sweep'))),
    cancel: (id, reason) => cancelBuild(ports, queue, id, reason ?? null),
    close,
    [Symbol.asyncDispose]: () => close(),
  };
}

const closeSchema = z.strictObject({ deadlineMs: z.number().nonnegative().optional() });

function closed(operation: string): QueueError {
  return new QueueError(`cannot ${operation}: the orchestrator is closed; create a new one`, { code: 'closed' });
}
