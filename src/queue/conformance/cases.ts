import type { Case } from './case.js';
import { consuming } from './cases/consuming.js';
import { crashLoops } from './cases/crash-loops.js';
import { deadLetters } from './cases/dead-letters.js';
import { delaying } from './cases/delaying.js';
import { delivering } from './cases/delivering.js';
import { idempotency } from './cases/idempotency.js';
import { ordering } from './cases/ordering.js';
import { publishing } from './cases/publishing.js';
import { routing } from './cases/routing.js';
import { settling } from './cases/settling.js';
import { transactions } from './cases/transactions.js';

/** Every case, by subject. */
export const allCases: readonly Case[] = [
  ...publishing,
  ...delaying,
  ...routing,
  ...idempotency,
  ...transactions,
  ...delivering,
  ...ordering,
  ...settling,
  ...crashLoops,
  ...deadLetters,
  ...consuming,
];
