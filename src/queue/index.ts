export type { Admin, LetterListOptions, Letters, TopicOrName } from './admin.js';
export { type BackoffPolicy, backoff } from './backoff.js';
export { type Clock, sleep, systemClock } from './clock.js';
export type { Consumer, Handler } from './consumer.js';
export { type DeadLetter, type DeadLetterNotice, deadLetterNoticeSchema } from './dead-letter.js';
export type { Delivery } from './delivery.js';
export type {
  BackendObject,
  Capabilities,
  Death,
  DeathCause,
  DeclareReport,
  Depth,
  Driver,
  Limits,
  TopicTopology,
} from './driver.js';
export { PermanentError, QueueError, type QueueErrorCode, queueErrorCodes } from './errors.js';
export type { Events, QueueEventName, QueueEvents } from './events.js';
export type { Health } from './health.js';
export { fnv1a32, laneOf } from './lane.js';
export { type Logger, silentLogger } from './logger.js';
export type { Message } from './message.js';
export {
  type MovedGroup,
  type MoveOptions,
  type MovePlan,
  type MovePlanOptions,
  type MoveProgress,
  type MoveReport,
  type MoveRest,
  moveMessages,
  planMove,
  type RefusedMessage,
  type StayingReport,
} from './move.js';
export type { NamedGroup } from './move-target.js';
export type { Collected, Outbox } from './outbox.js';
export type { MessageOptions } from './outgoing.js';
export { matches } from './pattern.js';
export type { BatchEntry, BatchResult, Published, Publisher, PublishOptions } from './publisher.js';
export type { ConsumeOptions, Queue, QueueOptions, SetupOptions, SubscribeOptions, Subscriber } from './queue.js';
export type { CloseOptions, Subscription } from './subscription.js';
export { type BodyInput, type BodyOutput, defineTopic, isTopic, type Topic, type TopicOptions } from './topic.js';
export { VirtualClock } from './virtual-clock.js';
