export { type ModelFailure, type ModelRun, type ModelRunOptions, modelRun } from './model-run.js';
