import { sleep } from '../queue/clock.js';
import { type BuildId, buildId } from './build-id.js';
import type { BuildReport, BuildRunner, RunnerCallOptions } from './build-runner.js';
import { digest } from './digest.js';
import { BuildUnknownError, type RunnerOperation, RunnerUnavailableError } from './errors.js';
import { type CallLog, WritableCallLog } from './scripted/call-log.js';
import { chance } from './scripted/chance.js';
import { answerDelayMs, type Faults, forgottenAfterMs, lostPart } from './scripted/faults.js';
import { completeOptions, type ScriptedRunnerOptions } from './scripted/options.js';
import { drawOutcome, type OutcomePlan, planOutcome, stateAt } from './scripted/outcome.js';
import { firstMatch } from './scripted/rule.js';
import { checkTriggerRequest, type TriggerRequest } from './trigger-request.js';

/** A runner whose builds follow a script, and that remembers what it was asked. */
export interface ScriptedRunner extends BuildRunner {
  readonly log: CallLog;
}

/**
 * A runner for tests and demonstrations: outcomes, durations and faults come from rules on what is
 * to be built, and from a seed where the rules leave room. Builds take their time on the clock given;
 * no timer runs for them, so there is nothing to close.
 *
 * Its state lives in the object. A test that restarts the orchestrator keeps the runner, as a
 * build farm goes on while its clients are restarted. Throws a `TypeError` that names the option and
 * the remedy when an option is wrong.
 */
export function scriptedRunner(options: ScriptedRunnerOptions): ScriptedRunner {
  const { clock, seed, rules, default: mix, faults: runnerFaults, cancelledAfterMs } = completeOptions(options);
  const madeAt = clock.now();
  const log = new WritableCallLog();
  const builds = new Map<string, ScriptedBuild>();

  /** The id follows from the key alone, so there is no table of keys to keep. */
  const idFor = (key: string): BuildId => buildId(`scripted-${digest('id', seed, key).toString('hex', 0, 16)}`);

  const known = (id: BuildId): ScriptedBuild | null => {
    const build = builds.get(id.id);
    return build === undefined || build.forgottenAt <= clock.now() ? null : build;
  };

  const start = (id: BuildId, request: TriggerRequest): void => {
    if (builds.has(id.id)) return;
    const draw = (purpose: string): number => chance(seed, 'build', request.idempotencyKey, purpose);
    const rule = firstMatch(rules, request);
    const faults = rule?.faults ?? runnerFaults;
    const script = rule?.outcome ?? drawOutcome(mix, request.base.length > 0, draw);
    const startedAt = clock.now();
    builds.set(id.id, {
      id,
      sha: request.head.at(-1)?.commitSha ?? '',
      plan: planOutcome(script, cancelledAfterMs, draw),
      faults,
      startedAt,
      forgottenAt: startedAt + forgottenAfterMs(faults, draw),
      cancelAskedAt: null,
    });
    log.builds.push({ id: id.id, startedAt, request: structuredClone(request) });
  };

  /** One call through the faults: `arrive` is what reaching the runner does, `answer` what comes back later. */
  async function call<Answer>(given: ScriptedCall<Answer>): Promise<Answer> {
    const { operation, subject, faults, signal } = given;
    signal?.throwIfAborted();
    const nth = log.count(operation, subject) + 1;
    const draw = (purpose: string): number => chance(seed, 'call', operation, subject, nth, purpose);
    const faultCall = { operation, nth, sinceMadeMs: clock.now() - madeAt, draw };
    const lost = lostPart(faults, faultCall);
    const delayMs = answerDelayMs(faults, faultCall);
    log.add({ operation, subject, at: clock.now(), lost });

    if (lost !== 'request') given.arrive?.();
    if (delayMs > 0) await sleep(clock, delayMs, signal);
    signal?.throwIfAborted();
    if (lost !== null) {
      const named = operation === 'trigger' ? `the build of key "${subject}"` : `build "${subject}"`;
      throw new RunnerUnavailableError(operation, named, `scripted: its ${lost} was lost`);
    }
    return given.answer();
  }

  return {
    log,
    async trigger(request, { signal }: RunnerCallOptions = {}) {
      checkTriggerRequest(request);
      const id = idFor(request.idempotencyKey);
      return call({
        operation: 'trigger',
        subject: request.idempotencyKey,
        faults: firstMatch(rules, request)?.faults ?? runnerFaults,
        signal,
        arrive: () => start(id, request),
        answer: () => id,
      });
    },
    async status(id, { signal }: RunnerCallOptions = {}) {
      return call({
        operation: 'status',
        subject: id.id,
        faults: builds.get(id.id)?.faults ?? runnerFaults,
        signal,
        answer: () => {
          const build = known(id);
          if (build === null) throw new BuildUnknownError('status', id);
          return reportAt(build, clock.now());
        },
      });
    },
    async cancel(id, { signal }: RunnerCallOptions = {}) {
      return call({
        operation: 'cancel',
        subject: id.id,
        faults: builds.get(id.id)?.faults ?? runnerFaults,
        signal,
        arrive: () => {
          const build = known(id);
          if (build !== null) build.cancelAskedAt ??= clock.now();
        },
        answer: () => {
          if (known(id) === null) throw new BuildUnknownError('cancel', id);
        },
      });
    },
  };
}

interface ScriptedCall<Answer> {
  readonly operation: RunnerOperation;
  readonly subject: string;
  readonly faults: Faults;
  readonly signal: AbortSignal | undefined;
  readonly arrive?: () => void;
  readonly answer: () => Answer;
}

interface ScriptedBuild {
  readonly id: BuildId;
  readonly sha: string;
  readonly plan: OutcomePlan;
  readonly faults: Faults;
  readonly startedAt: number;
  readonly forgottenAt: number;
  cancelAskedAt: number | null;
}

function reportAt(build: ScriptedBuild, now: number): BuildReport {
  const { status, ended } = stateAt(build.plan, build.startedAt, build.cancelAskedAt, now);
  const begun = { url: `https://builds.example.org/${build.id.id}`, sha: build.sha };
  if (ended === null) return { status, metadata: begun };
  const duration = `${((ended.at - build.startedAt) / 1000).toFixed(1)} s`;
  return { status, metadata: { ...begun, duration, ...(ended.byCancel ? {} : build.plan.metadata) } };
}
