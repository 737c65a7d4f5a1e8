export type { Injected } from './chances.js';
export { type FaultyDriver, type FaultyOptions, faulty } from './faulty.js';
export { InjectedFault } from './injected-fault.js';
export type { At, Fault, FaultCall, FaultPlan, FaultVerb, When } from './plan.js';
