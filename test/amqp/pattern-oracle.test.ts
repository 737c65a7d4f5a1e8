import fc from 'fast-check';
import { matches } from 'signalbox';
import { expect, test } from 'vitest';
import { describeServers } from '../servers/index.js';
import { plainProgram } from './foreign/plain-program.js';

/** Words that are like wildcards, empty, equal but for their case, or not ASCII. */
const word = fc.constantFrom('a', 'b', 'ab', '', 'A', 'ä');
const keyArbitrary = fc.array(word, { maxLength: 5 }).map((words) => words.join('.'));
/** RabbitMQ 4.3 refuses to bind a pattern with more of them. */
const mostHashes = 2;
const patternArbitrary = fc
  .array(fc.oneof(word, fc.constantFrom('*', '#', 'a*', '##', '*#')), { maxLength: 5 })
  .filter((words) => words.filter((one) => one === '#').length <= mostHashes)
  .map((words) => words.join('.'));

/** So many patterns are bound at once, each to a queue of its own, and so many keys published. */
const patternsAtOnce = 20;
const keysAtOnce = 40;
const rounds = 6;

await describeServers(['rabbitmq'], (_, server) => {
  test(`a pattern accepts what RabbitMQ's topic exchange brings to its queue: ${rounds * patternsAtOnce * keysAtOnce} pairs`, {
    timeout: 120_000,
  }, async () => {
    const { apart } = await plainProgram(await server().freshUrl());

    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(patternArbitrary, { minLength: patternsAtOnce, maxLength: patternsAtOnce }),
        fc.uniqueArray(keyArbitrary, { minLength: keysAtOnce, maxLength: keysAtOnce }),
        // A channel of its own: of one that the broker has closed, no smaller example could be found.
        (patterns, keys) =>
          apart(async (channel) => {
            // Exclusive and transient: they are the oracle for this one question.
            const { exchange } = await channel.assertExchange(`oracle-${Math.random()}`, 'topic', {
              durable: false,
              autoDelete: true,
            });
            const queues = await Promise.all(
              patterns.map(async (pattern) => {
                const { queue } = await channel.assertQueue('', { exclusive: true, durable: false });
                await channel.bindQueue(queue, exchange, pattern);
                return queue;
              }),
            );
            // What a channel publishes is in its queues before what it asks of them next.
            for (const key of keys) channel.publish(exchange, key, Buffer.from(key));
            for (const [n, queue] of queues.entries()) {
              const pattern = patterns[n] as string;
              const brought = new Set<string>();
              for (
                let message = await channel.get(queue, { noAck: true });
                message !== false;
                message = await channel.get(queue, { noAck: true })
              ) {
                brought.add(message.content.toString());
              }
              expect({ pattern, keys: keys.filter((key) => matches(pattern, key)) }).toEqual({
                pattern,
                keys: keys.filter((key) => brought.has(key)),
              });
              await channel.deleteQueue(queue);
            }
          }),
      ),
      { numRuns: rounds },
    );
  });
});
