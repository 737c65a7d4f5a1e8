import { amqpSuite } from './amqp-suite.js';

amqpSuite('rabbitmq:3', ['quorum', 'classic']);
