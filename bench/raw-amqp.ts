import { type Channel, type ChannelModel, type ConfirmChannel, connect } from 'amqplib';
import { monotonicMs, paced, rateOf } from './pace.js';
import { type Spread, spreadOf } from './spread.js';

export type RawQueueType = 'quorum' | 'classic';

const inFlight = 256;

/** The broker through amqplib alone: a promise per message, one queue of the same type, from the same process. */
export class RawAmqp implements AsyncDisposable {
  readonly #publishing: ChannelModel;
  readonly #consuming: ChannelModel;
  readonly #confirms: ConfirmChannel;
  readonly #queue: string;
  readonly #type: RawQueueType;
  readonly #queues = new Set<string>();

  private constructor(
    connections: readonly [ChannelModel, ChannelModel],
    confirms: ConfirmChannel,
    queue: string,
    type: RawQueueType,
  ) {
    [this.#publishing, this.#consuming] = connections;
    this.#confirms = confirms;
    this.#queue = queue;
    this.#type = type;
  }

  static async open(url: string, run: string, type: RawQueueType): Promise<RawAmqp> {
    const plain = url.replace(/\?.*$/, '');
    const connections = [await connect(plain, { noDelay: true }), await connect(plain, { noDelay: true })] as const;
    const confirms = await connections[0].createConfirmChannel();
    const raw = new RawAmqp(connections, confirms, `bench-raw-${run}`, type);
    await raw.#declare(raw.#queue, {});
    return raw;
  }

  /** Confirmed publishes per second, 256 in flight. */
  publish(seconds: number, bytes: number): Promise<number> {
    const body = Buffer.alloc(bytes, 'n');
    return rateOf(seconds, inFlight, () => this.#send(this.#queue, body));
  }

  /**
   * Messages consumed and acked per second, from a backlog made for it: from opening the channel until the broker has
   * closed it, which it does behind the last ack. Ours is measured from `consume` to the end of `close`.
   */
  async consume(count: number, bytes: number, prefetch: number): Promise<number> {
    await this.empty();
    const body = Buffer.alloc(bytes, 'n');
    for (let sent = 0; sent < count; sent += inFlight) {
      await Promise.all(Array.from({ length: Math.min(inFlight, count - sent) }, () => this.#send(this.#queue, body)));
    }
    const startedAt = performance.now();
    const channel = await this.#consuming.createChannel();
    await channel.prefetch(prefetch);
    await new Promise<void>((resolve, reject) => {
      let handled = 0;
      const taken = channel.consume(this.#queue, (message) => {
        if (message === null) return;
        channel.ack(message);
        if (++handled === count) resolve();
      });
      taken.catch(reject);
    });
    await channel.close();
    return (count * 1_000) / (performance.now() - startedAt);
  }

  /** From the publish call to the consumer's callback, milliseconds. */
  async latency(perSecond: number, seconds: number): Promise<Spread> {
    await this.empty();
    const [lags, channel] = await this.#listen(this.#queue);
    await paced(perSecond, seconds, () => this.#send(this.#queue, stamped(monotonicMs())));
    await this.#all(lags, perSecond * seconds);
    await channel.close();
    return spreadOf(lags);
  }

  /** How long after its due time a message comes that waits in a queue with a TTL, milliseconds. */
  async lateness(delayMs: number, perSecond: number, seconds: number): Promise<Spread> {
    await this.empty();
    const waiting = `${this.#queue}-${delayMs}`;
    await this.#declare(waiting, {
      'x-message-ttl': delayMs,
      'x-dead-letter-exchange': '',
      'x-dead-letter-routing-key': this.#queue,
      ...(this.#type === 'quorum' ? { 'x-dead-letter-strategy': 'at-least-once', 'x-overflow': 'reject-publish' } : {}),
    });
    const [lags, channel] = await this.#listen(this.#queue);
    await paced(perSecond, seconds, () => this.#send(waiting, stamped(monotonicMs() + delayMs)));
    await this.#all(lags, perSecond * seconds);
    await channel.close();
    return spreadOf(lags);
  }

  async empty(): Promise<void> {
    await this.#confirms.purgeQueue(this.#queue);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const queue of this.#queues) await this.#confirms.deleteQueue(queue);
    await Promise.all([this.#publishing.close(), this.#consuming.close()]);
  }

  async #declare(queue: string, args: Readonly<Record<string, unknown>>): Promise<void> {
    await this.#confirms.assertQueue(queue, { durable: true, arguments: { 'x-queue-type': this.#type, ...args } });
    this.#queues.add(queue);
  }

  #send(queue: string, body: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#confirms.sendToQueue(queue, body, { persistent: true, mandatory: true }, (error: unknown) => {
        if (error instanceof Error) reject(error);
        else resolve();
      });
    });
  }

  async #listen(queue: string): Promise<readonly [number[], Channel]> {
    const lags: number[] = [];
    const channel = await this.#consuming.createChannel();
    await channel.prefetch(inFlight);
    await channel.consume(queue, (message) => {
      if (message === null) return;
      lags.push(monotonicMs() - Number(message.content.toString('latin1', 0, 20)));
      channel.ack(message);
    });
    return [lags, channel];
  }

  async #all(lags: readonly number[], count: number): Promise<void> {
    const endAt = performance.now() + 120_000;
    while (lags.length < count) {
      if (performance.now() > endAt) throw new Error('raw messages did not come within two minutes');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** 200 bytes that begin with a time. */
const stamped = (at: number): Buffer => Buffer.from(at.toFixed(6).padEnd(20).padEnd(200, 'n'), 'latin1');
