export {
  type Build,
  type BuildState,
  buildStates,
  type EndedBuild,
  hasEnded,
  isPolled,
  type TriggeredBuild,
} from './build.js';
export { type BuildPage, type BuildQuery, type BuildStore, type Creation, maxPageSize } from './build-store.js';
export { type BuildStoreHarness, buildStoreContract } from './build-store-contract.js';
export type { Reminder } from './decide.js';
export { findBuild } from './find-build.js';
export {
  type JobRequest,
  type JobRequestInput,
  jobRequestSchema,
  jobRequestVersion,
  queueNameOf,
} from './job-request.js';
export { memoryBuildStore } from './memory-build-store.js';
export type { OrchestratorOptions } from './options.js';
export { createOrchestrator, type Orchestrator } from './orchestrator.js';
export type { PollDelay, PollDelays } from './poll-delay.js';
export type { SweepReport } from './sweep.js';
export {
  type BuildFinished,
  type BuildSignal,
  buildFinishedSchema,
  type OrchestratorTopics,
  type OrchestratorTopicsOptions,
  orchestratorTopics,
} from './topics.js';
