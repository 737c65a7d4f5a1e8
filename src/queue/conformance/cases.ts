import type { Case } from './case.js';
import { capabilities } from './cases/capabilities.js';
import { consuming } from './cases/consuming.js';
import { crashLoops } from './cases/crash-loops.js';
import { deadLetters } from './cases/dead-letters.js';
import { delaying } from './cases/delaying.js';
import { delivering } from './cases/delivering.js';
import { errors } from './cases/errors.js';
import { events } from './cases/events.js';
import { idempotency } from './cases/idempotency.js';
import { ordering } from './cases/ordering.js';
import { pausing } from './cases/pausing.js';
import { payloads } from './cases/payloads.js';
import { publishing } from './cases/publishing.js';
import { routing } from './cases/routing.js';
import { settling } from './cases/settling.js';
import { setup } from './cases/setup.js';
import { transactions } from './cases/transactions.js';

/** Every case, by subject, in the order of `docs/guarantees.md`. */
export const allCases: readonly Case[] = [
  ...publishing,
  ...payloads,
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
  ...pausing,
  ...setup,
  ...events,
  ...errors,
  ...capabilities,
];
