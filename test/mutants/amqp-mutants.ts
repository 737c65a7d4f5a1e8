import type { Species } from './mutant.js';

/** Each is judged by the cases that it names alone, on a real broker: the suite of all would take minutes for each. */
export const amqpMutants: Species = {
  title: 'RabbitMQ driver',
  mutants: [
    {
      name: 'cancels the consumer of a lane before what is in hand is settled',
      file: 'amqp/feed.ts',
      find: '    if (this.#options.ordered) return;\n    await this.#cancelConsumers();',
      replace: '    await this.#cancelConsumers();',
      killedBy: ['a-lane-that-is-handed-over-is-with-one-reader-at-a-time-and-in-order'],
    },
    {
      name: 'dead-letters delays at most once',
      file: 'amqp/queue-arguments.ts',
      find: "'x-dead-letter-strategy': 'at-least-once',",
      replace: "'x-dead-letter-strategy': 'at-most-once',",
      killedBy: ['a-delay-that-ends-while-there-is-nowhere-to-go-waits-for-it'],
    },
    {
      name: 'acks before the copy is confirmed',
      file: 'amqp/settling.ts',
      find: '  async #release(handed: Handed, {',
      replace: `  async #release(handed: Handed, settlement: any): Promise<SettleResult> {
    const answer = await ackForSure(handed);
    await this.#copy(handed, settlement);
    return answer;
  }

  async #copy(handed: Handed, {`,
      killedBy: ['a-release-whose-copy-is-refused-leaves-the-message-with-its-holder'],
    },
    {
      name: 'acks on the current channel instead of the delivering one',
      file: 'amqp/feed.ts',
      find: `    if (!this.#release(handed)) return 'lost';
    const answer = handed.delivery.ack();`,
      replace: `    this.#inHand.remove(handed);
    this.#channel?.raw.ack(handed.delivery.message);
    const answer = 'done';`,
      also: [
        {
          find: 'return handed.isLinked && handed.delivery.held;',
          replace: 'return true;',
        },
      ],
      killedBy: ['an-ack-after-a-reconnect-acks-no-message-of-the-new-channel'],
    },
    {
      name: 'puts no delivery limit on the queues of letters',
      file: 'amqp/queue-arguments.ts',
      find: "'x-queue-type': 'quorum', 'x-delivery-limit': deliveryLimit,",
      replace: "'x-queue-type': 'quorum',",
      killedBy: ['letters-that-are-listed-thirty-times-are-all-there'],
    },
  ],
};
