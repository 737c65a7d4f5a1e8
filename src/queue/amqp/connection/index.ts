/**
 * The connection layer of the RabbitMQ driver, on amqplib: connections that come back, messages with confirms, calls
 * on channels of their own, deliveries bound to their channel. It knows frames, channels and reply codes, and nothing
 * of topics, groups or delays.
 */
export { Chain, type Linked } from './chain.js';
export { classify, replyCodeOf } from './classify.js';
export type { ConsumingChannel } from './consuming-channel.js';
export type { Delivery } from './delivery.js';
export type { KeptConsumer, KeptOptions } from './kept-consumer.js';
export { Link, type LinkOptions } from './link.js';
export { LinkError } from './link-error.js';
export type { MessageProperties, Publication } from './publication.js';
export { type ConnectionSettings, describe } from './settings.js';
export { type ConnectionParts, settingsFromParts } from './settings-from-parts.js';
export { settingsFromUrl } from './settings-from-url.js';
export { isShortString, maxShortStringBytes } from './short-string.js';
export { wordsOf } from './words.js';
