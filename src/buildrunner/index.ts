export { type BuildId, buildId, buildIdSchema, maxBuildIdBytes } from './build-id.js';
export type { BuildReport, BuildRunner, RunnerCallOptions } from './build-runner.js';
export { type BuildStatus, buildStatuses, isTerminal, type TerminalBuildStatus } from './build-status.js';
export { type BuildRunnerHarness, buildRunnerContract, type ContractTestApi } from './contract.js';
export {
  demonstrationDeadlineMs,
  demonstrationMix,
  demonstrationRules,
  demonstrationRunner,
} from './demonstration.js';
export { BuildUnknownError, type RunnerOperation, RunnerUnavailableError } from './errors.js';
export { noopRunner } from './noop.js';
export type { CallLog, LoggedBuild, LoggedCall } from './scripted/call-log.js';
export type { Seed } from './scripted/chance.js';
export type { DurationMs } from './scripted/duration.js';
export type { Faults, Forgetful, LostPart, Slow, Unreachable } from './scripted/faults.js';
export type { ScriptedRunnerOptions } from './scripted/options.js';
export type { EndingScript, EndlessScript, OutcomeMix, OutcomeScript, ScriptStart } from './scripted/outcome.js';
export type { Pattern, RuleMatch, ScriptedRule } from './scripted/rule.js';
export { type ScriptedRunner, scriptedRunner } from './scripted.js';
export { type Change, checkTriggerRequest, type TriggerRequest } from './trigger-request.js';
