import { amqpSuite } from './amqp-suite.js';

amqpSuite('rabbitmq:4', ['classic']);
