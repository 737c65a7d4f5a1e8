import { amqpSuite } from './amqp-suite.js';

amqpSuite('rabbitmq:3');
