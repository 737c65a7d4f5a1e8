import {
  type BatchResult,
  type BodyInput,
  type BodyOutput,
  type Consumer,
  type Delivery,
  defineTopic,
  openQueue,
  type Published,
  type Publisher,
  type Queue,
  type QueueErrorCode,
  type QueueEvents,
  type Subscriber,
  type Subscription,
  type Topic,
} from 'signalbox';
import { memory } from 'signalbox/memory';
import { describe, expectTypeOf, test } from 'vitest';
import { z } from 'zod';

const meeting = defineTopic('meeting', {
  schema: z.object({
    at: z.coerce.date<string>(),
    room: z.string().default('lobby'),
    guests: z.string().transform((text) => text.split(',')),
  }),
});
const word = defineTopic('word', { schema: z.string() });

declare const queue: Queue;

interface In {
  at: string;
  room?: string | undefined;
  guests: string;
}
interface Out {
  at: Date;
  room: string;
  guests: string[];
}

describe('a topic', () => {
  test("has its schema's input and output", () => {
    expectTypeOf<BodyInput<typeof meeting>>().toEqualTypeOf<In>();
    expectTypeOf<BodyOutput<typeof meeting>>().toEqualTypeOf<Out>();
    expectTypeOf(meeting).toExtend<Topic>();
  });

  test('takes known options of the right kind only', () => {
    const schema = z.string();
    defineTopic('t', {
      schema,
      ordering: 'key',
      lanes: 4,
      maxAttempts: Number.POSITIVE_INFINITY,
      backoff: { maxMs: 5 },
    });
    // @ts-expect-error there is no such option
    defineTopic('t', { schema, orderings: 'key' });
    // @ts-expect-error nor such an ordering
    defineTopic('t', { schema, ordering: 'fifo' });
    // @ts-expect-error a topic needs a schema
    defineTopic('t', {});
    // @ts-expect-error a notice names a topic by its value
    defineTopic('t', { schema, deadLetters: { notice: 'dead' } });
  });

  test('cannot be changed', () => {
    // @ts-expect-error readonly
    word.name = 'other';
    // @ts-expect-error readonly
    word.groups.default = { patterns: [] };
  });
});

describe('publishing', () => {
  test('takes what the schema takes', () => {
    expectTypeOf(queue.publish(meeting, { at: '2026-01-01', guests: 'Ada' })).resolves.toEqualTypeOf<Published>();
    expectTypeOf(queue.publishAfter(word, 'x', 250, { key: 'k' })).resolves.toEqualTypeOf<Published>();
    expectTypeOf(
      queue.publishBatch(word, [
        { body: 'x', delayMs: 5 },
        { body: 'y', key: 'k' },
      ]),
    ).resolves.toEqualTypeOf<readonly BatchResult[]>();
  });

  test('a wrong body does not compile', () => {
    // @ts-expect-error a number is no word
    void queue.publish(word, 5);
    // @ts-expect-error the output of the schema is not its input
    void queue.publish(meeting, { at: new Date(), room: 'a', guests: ['Ada'] });
    // @ts-expect-error guests are missing
    void queue.publish(meeting, { at: '2026-01-01' });
    // @ts-expect-error there is no such property
    void queue.publish(meeting, { at: '2026-01-01', guests: '', rooom: 'a' });
    // @ts-expect-error the same with a delay
    void queue.publishAfter(word, 5, 250);
    // @ts-expect-error and in a batch
    void queue.publishBatch(word, [{ body: 'x' }, { body: 5 }]);
    // @ts-expect-error and within a transaction
    void queue.within({}).publish(word, 5);
  });

  test('nor do wrong arguments beside it', () => {
    // @ts-expect-error a topic is a value, not its name
    void queue.publish('word', 'x');
    // @ts-expect-error a delay is a number
    void queue.publishAfter(word, 'x', '250');
    // @ts-expect-error there is no such option
    void queue.publish(word, 'x', { delay: 5 });
    // @ts-expect-error headers are strings
    void queue.publish(word, 'x', { headers: { n: 1 } });
    // @ts-expect-error an entry has no signal of its own
    void queue.publishBatch(word, [{ body: 'x', signal: AbortSignal.abort() }]);
  });

  test('optional options may be undefined', () => {
    const key = undefined as string | undefined;
    void queue.publish(word, 'x', { key, id: key, signal: undefined });
  });
});

describe('consuming', () => {
  test("a handler sees the schema's output", async () => {
    const consumer = queue.consume(meeting, (delivery) => {
      expectTypeOf(delivery).toEqualTypeOf<Delivery<Out>>();
      expectTypeOf(delivery.message.body).toEqualTypeOf<Out>();
      expectTypeOf(delivery.message.id).toEqualTypeOf<string>();
      expectTypeOf(delivery.signal).toEqualTypeOf<AbortSignal>();
    });

    expectTypeOf(consumer).resolves.toEqualTypeOf<Consumer>();
  });

  test('a handler of another body does not compile', () => {
    // @ts-expect-error the body is a string
    void queue.consume(word, ({ message }) => message.body.room);
    // @ts-expect-error there is no such option
    void queue.consume(word, () => {}, { concurency: 4 });
    // @ts-expect-error a subscription has no concurrency
    void queue.subscribe(word, { concurrency: 4 });
  });

  test('a subscription is a loop over deliveries of the output', async () => {
    const subscription = queue.subscribe(meeting, { group: 'default', prefetch: 4 });
    expectTypeOf(subscription).toEqualTypeOf<Subscription<Out>>();

    for await (const delivery of subscription) expectTypeOf(delivery).toEqualTypeOf<Delivery<Out>>();
  });

  test('an outbox takes what a publish takes', () => {
    void queue.consume(word, async ({ outbox }) => {
      expectTypeOf(await outbox.publish(meeting, { at: '2026-01-01', guests: '' })).toExtend<{ readonly id: string }>();
      await outbox.publishAfter(word, 'x', 5, { key: 'k' });
      await outbox.publishBatch(word, [{ body: 'x', delayMs: 5 }]);
      // @ts-expect-error a number is no word
      await outbox.publish(word, 5);
      // @ts-expect-error a number is no word
      await outbox.publishAfter(word, 5, 250);
      // @ts-expect-error a number is no word
      await outbox.publishBatch(word, [{ body: 5 }]);
      // @ts-expect-error what leaves with the ack cannot be aborted
      await outbox.publish(word, 'x', { signal: AbortSignal.abort() });
      // @ts-expect-error sealing is ours
      outbox.seal();
    });
  });

  test('settling answers a promise of nothing', () => {
    const { ack, nack, postpone, reject, extend } = {} as Delivery;
    for (const verb of [ack, nack, postpone, reject, extend]) expectTypeOf(verb).returns.resolves.toEqualTypeOf<void>();
    expectTypeOf(nack).toBeCallableWith();
    expectTypeOf(nack).toBeCallableWith(5_000, new Error('again'));
    // @ts-expect-error nobody knows for how long
    void postpone();
    // @ts-expect-error nobody knows why
    void reject();
  });
});

describe('a queue', () => {
  test('is opened with a URL or a driver, and known options only', () => {
    expectTypeOf(openQueue('memory:', { topics: [meeting, word] })).resolves.toEqualTypeOf<Queue>();
    void openQueue(memory(), { topics: [], name: 'a', setup: 'none', logger: console });
    // @ts-expect-error topics are needed
    void openQueue('memory:', {});
    // @ts-expect-error there is no such option
    void openQueue('memory:', { topics: [], loger: console });
  });

  test('is a publisher and a subscriber', () => {
    expectTypeOf<Queue>().toExtend<Publisher>();
    expectTypeOf<Queue>().toExtend<Subscriber>();
    expectTypeOf<Queue>().toExtend<AsyncDisposable>();
  });

  test('is closed by `await using`, and so are subscriptions and consumers', async () => {
    await using mine = await openQueue('memory:', { topics: [word] });
    await using subscription = mine.subscribe(word);
    await using consumer = await mine.consume(word, () => {});
    expectTypeOf(subscription).toExtend<AsyncDisposable>();
    expectTypeOf(consumer.consumer).toEqualTypeOf<string>();
  });

  test('tells events by name', () => {
    queue.events.on('dead-lettered', (event) => {
      expectTypeOf(event).toEqualTypeOf<QueueEvents['dead-lettered']>();
      expectTypeOf(event.reason).toEqualTypeOf<string>();
    });
    // @ts-expect-error there is no such event
    queue.events.on('dead-leterd', () => {});
    // @ts-expect-error nobody but the library tells
    queue.events.emit('closed', { backend: 'x' });
  });

  test('has a closed list of error codes', () => {
    expectTypeOf<'lease-lost'>().toExtend<QueueErrorCode>();
    expectTypeOf<'other'>().not.toExtend<QueueErrorCode>();
  });
});
