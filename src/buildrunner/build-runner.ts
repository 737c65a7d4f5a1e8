import type { BuildId } from './build-id.js';
import type { BuildStatus } from './build-status.js';
import type { TriggerRequest } from './trigger-request.js';

/**
 * Something that builds: a CI service, a farm, a process on this machine. It is asked, never told to
 * call back; whoever wants to know how a build ended polls `status`.
 *
 * All three verbs may be called concurrently, by several processes, for one build at once. They
 * reject with `RunnerUnavailableError` when the runner cannot be reached (asking again makes sense),
 * with the signal's reason when aborted, and with nothing else that is worth a retry.
 * `buildRunnerContract` tests what is promised here.
 */
export interface BuildRunner {
  /**
   * Asks for a build and answers its id promptly: once the request is kept safely, not once a
   * machine was found.
   *
   * The same `idempotencyKey` answers the same id and starts nothing, also when called at once from
   * several processes and whatever the rest of the request says. A runner must remember a key, over
   * its own restarts, at least as long as it knows the build that the key stands for, and that until
   * the build has ended and somebody had a day to ask for its end; after that a repeated key may
   * start a new build. A rejected or aborted trigger may have started the build all the same: the
   * way to find out is to trigger again with the same key.
   */
  trigger(request: TriggerRequest, options?: RunnerCallOptions): Promise<BuildId>;

  /**
   * Where the build stands now. May be slow. Of answers that follow one another, none goes back from
   * `running` to `accepted`, and a terminal status never changes.
   *
   * Rejects with `BuildUnknownError` when the runner does not know the build (any more).
   */
  status(buildId: BuildId, options?: RunnerCallOptions): Promise<BuildReport>;

  /**
   * Requests that the build be stopped, and returns promptly: once the request arrived, not once the
   * build stopped; `status` tells that. The build may still reach an end of its own. Cancelling twice,
   * or after the end, is fine and changes nothing.
   *
   * Rejects with `BuildUnknownError` when the runner does not know the build (any more).
   */
  cancel(buildId: BuildId, options?: RunnerCallOptions): Promise<void>;
}

/** `signal` gives up waiting for the answer; it does not take back what was asked. */
export interface RunnerCallOptions {
  readonly signal?: AbortSignal | undefined;
}

/** What a runner knows about a build. */
export interface BuildReport {
  readonly status: BuildStatus;
  /**
   * Free-form, and may grow while the build goes on. Where a runner knows them, they are called: `url`
   * (a page for people), `duration` (with its unit, as in `12.3 s`), `sha` (what was built), `blame`
   * (`base` or `head`: which part made it fail).
   */
  readonly metadata: Readonly<Record<string, string>>;
}
