/** What the cases use of the contract, behind one door: they lie a folder deeper, where the layer rule sees only this one. */
export { backoff } from '../backoff.js';
export { type DeadLetter, deadLetterNoticeSchema } from '../dead-letter.js';
export type { Delivery } from '../delivery.js';
export type { Driver, DriverEvent, DriverSubscription, Received, SettleResult } from '../driver.js';
export { freshCounts, matches, Refusal } from '../driver.js';
export { PermanentError, QueueError, queueErrorCodes } from '../errors.js';
export { laneOf } from '../lane.js';
export type { Queue } from '../queue.js';
export { defineTopic } from '../topic.js';
