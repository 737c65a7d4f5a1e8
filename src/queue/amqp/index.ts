/** RabbitMQ. Needs the package amqplib. */
export { amqp } from './amqp.js';
export type { AmqpOptions } from './options.js';
export type { QueueType } from './queue-arguments.js';
