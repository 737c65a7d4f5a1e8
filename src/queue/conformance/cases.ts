import type { Case } from './case.js';
import { publishing } from './cases/publishing.js';

/** Every case, in the order of `docs/guarantees.md`. */
export const allCases: readonly Case[] = [...publishing];
