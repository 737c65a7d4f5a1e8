/** The suite that every driver passes: data and a runner, tied to no test runner. `README.md` says how to use it. */
export type { Case } from './case.js';
export { allCases } from './cases.js';
export {
  type At,
  type Fault,
  type FaultCall,
  type FaultPlan,
  type FaultVerb,
  type FaultyDriver,
  type FaultyOptions,
  faulty,
  type Injected,
  InjectedFault,
  type When,
} from './faults/index.js';
export type { ForeignMessage, Harness, HarnessClock, HarnessTime, HarnessTransaction } from './harness.js';
export { type ModelFailure, type ModelRun, type ModelRunOptions, modelRun } from './model/index.js';
export type { NeedName } from './needs.js';
export { type ConformanceTestApi, type RegisterOptions, registerConformance } from './register.js';
export { reportAsMarkdown, reportAsText, type Verdict, verdictOf } from './report.js';
export {
  type CaseResult,
  type ConformanceReport,
  type PromiseResult,
  type RunOptions,
  runConformance,
} from './run.js';
