/** RabbitMQ. Needs the package amqplib. */
export { amqp } from './amqp.js';
export type {
  AmqpArguments,
  MappedBinding,
  MappedDeadLetters,
  MappedExchange,
  MappedQueue,
  MappedTopic,
} from './mapped/mapped-topic.js';
export type { AmqpOptions } from './options.js';
export type { QueueType } from './queue-arguments.js';
