import { type Clock, sleep } from '../driver.js';
import type { Link } from './connection/index.js';
import type { AmqpHeaders } from './headers.js';

/** AMQP's time stamps are whole seconds: what happened "at 5" happened before 6. */
const secondMs = 1_000;

/** Below this, what is measured in whole seconds cannot say that this machine's clock is wrong. */
const visibleErrorMs = 2 * secondMs;

/**
 * What this process knows of the broker's clock. AMQP has no way to ask; but what a queue dead-letters carries the time of that,
 * and time cannot be earlier than the latest such time seen.
 */
export class BrokerTime {
  readonly #clock: Clock;
  /** The broker's clock is at least so much ahead of ours. */
  #aheadMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The broker wrote this time on what just arrived. */
  saw(seconds: number): void {
    this.#aheadMs = Math.max(this.#aheadMs, seconds * secondMs - this.#clock.now());
  }

  /** At least so much has passed since then; never more than has. */
  passedSince(seconds: number): number {
    return Math.max(0, this.#clock.now() + this.#aheadMs - (seconds + 1) * secondMs);
  }

  /** The broker's clock as exactly as it is known: ours, unless it is clearly wrong. */
  now(): number {
    const likelyMs = this.#aheadMs + secondMs / 2;
    const isWrong = Number.isFinite(likelyMs) && Math.abs(likelyMs) > visibleErrorMs;
    return this.#clock.now() + (isWrong ? likelyMs : 0);
  }

  /** Finds out what time it is at the broker, with a message that expires at once. */
  async probe(link: Link): Promise<void> {
    await link.withChannel("ask for the broker's time", async (channel) => {
      const { queue: answers } = await channel.assertQueue('', { exclusive: true, durable: false });
      const { queue } = await channel.assertQueue('', {
        exclusive: true,
        durable: false,
        arguments: { 'x-message-ttl': 1, 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': answers },
      });
      await link.publish({ exchange: '', routingKey: queue, body: Buffer.alloc(0), properties: {} });
      for (let tries = 0; tries < 100; tries++) {
        const answer = await channel.get(answers, { noAck: true });
        if (answer !== false) {
          const seconds = handedOverAt(answer.properties.headers ?? {});
          if (seconds !== null) this.saw(seconds);
          break;
        }
        await sleep(this.#clock, 2);
      }
      await channel.deleteQueue(queue);
      await channel.deleteQueue(answers);
    });
  }
}

/** When a queue handed a message over because its time was up, in seconds on the broker's clock. */
export function handedOverAt(headers: AmqpHeaders): number | null {
  const deaths: unknown = headers['x-death'];
  const time: unknown = Array.isArray(deaths) ? (deaths[0] as { time?: { value?: unknown } } | undefined)?.time : null;
  const seconds: unknown = typeof time === 'object' && time !== null ? (time as { value?: unknown }).value : null;
  return typeof seconds === 'number' ? seconds : null;
}
