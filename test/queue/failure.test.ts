import { defineTopic, openQueue, QueueError, VirtualClock } from 'signalbox';
import { type MemoryDriver, memory } from 'signalbox/memory';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type Classification, type DriverSubscription, Refusal } from '../../src/queue/driver.js';
import { queueErrorCodes } from '../../src/queue/errors.js';
import { wrapFailure } from '../../src/queue/failure.js';

const jobs = defineTopic('jobs', { schema: z.number() });

async function setUp(change: (driver: MemoryDriver) => void) {
  const clock = new VirtualClock(0);
  const driver = memory({ clock });
  change(driver);
  return { clock, queue: await openQueue(driver, { topics: [jobs] }) };
}

const raw = Object.assign(new Error('Access denied for user root using password hunter2'), { errno: 1045 });

describe('what a driver throws', () => {
  it.each([...queueErrorCodes])(
    'as %s is an error with operation, backend, reason and remedy, and no raw text',
    (code) => {
      const known = { code, retryable: true, outcomeUnknown: true };
      const error = wrapFailure(
        'publish to "jobs"',
        { name: 'mysql', classify: () => known },
        { ...known, cause: raw },
      );

      expect(error).toMatchObject({ code, retryable: true, outcomeUnknown: true, backend: 'mysql', cause: raw });
      expect(error.message).toMatch(
        /^cannot publish to "jobs" on mysql: .+; .+ \(it may have taken effect all the same\)$/,
      );
      expect(error.message).not.toContain('hunter2');
    },
  );

  it('is told with the detail that the driver gives, and with that alone', () => {
    const known = { code: 'denied', retryable: false, outcomeUnknown: false } as const;
    const driver = { name: 'amqp', classify: () => ({ ...known, detail: 'no access to exchange "x"' }) };

    expect(wrapFailure('publish to "jobs"', driver, { ...known, cause: raw }).message).toBe(
      'cannot publish to "jobs" on amqp: the backend denies it: no access to exchange "x"; give the backend user the right to do this',
    );
  });

  it('is classified by the driver; a refusal speaks for itself', async () => {
    const { clock, queue } = await setUp((driver) => {
      driver.classify = (): Classification => ({ code: 'denied', retryable: false, outcomeUnknown: false });
      driver.send = async (batch) =>
        batch.map(({ message }) => ({
          status: 'failed',
          error: message.body.length > 1 ? raw : new Refusal('resource-exhausted', 'the disk is full', 'make room'),
        }));
    });

    const [denied, full] = [queue.publish(jobs, 11), queue.publish(jobs, 1)].map((publish) =>
      publish.catch((error: unknown) => error),
    );
    await clock.advance(30_000);

    expect(await denied).toMatchObject({ code: 'denied', cause: raw });
    expect(await full).toMatchObject({
      code: 'resource-exhausted',
      retryable: true,
      message: 'cannot publish to "jobs" on memory: the disk is full; make room',
    });
    await queue.close();
  });

  it('and then cannot classify is internal, of unknown outcome, and leaves nobody waiting', async () => {
    const { queue } = await setUp((driver) => {
      driver.send = () => Promise.reject(raw);
      driver.classify = () => {
        throw new Error('not in the table');
      };
    });

    const results = await queue.publishBatch(jobs, [{ body: 1 }, { body: 2 }]);

    for (const result of results) {
      expect(result).toMatchObject({ status: 'failed', error: { code: 'internal', outcomeUnknown: true, cause: raw } });
    }
    await queue.close();
  });

  it('at opening is an error, and the driver is closed again', async () => {
    let closed = 0;
    const opening = setUp((driver) => {
      driver.open = () => Promise.reject(new Refusal('auth', 'the password is wrong', 'check it'));
      driver.close = async () => {
        closed++;
      };
    });

    await expect(opening).rejects.toMatchObject({
      name: 'QueueError',
      code: 'auth',
      message: 'cannot open a queue on memory: the password is wrong; check it',
    });
    expect(closed).toBe(1);
  });

  it('at closing is logged, and the queue is closed', async () => {
    const { queue } = await setUp((driver) => {
      driver.close = () => Promise.reject(raw);
    });

    await queue.close();

    await expect(queue.publish(jobs, 1)).rejects.toBeInstanceOf(QueueError);
  });
});

describe('a subscription whose receive fails', () => {
  /** Fails the second receive; counts subscriptions. */
  async function failing(error: unknown) {
    let receives = 0;
    let subscriptions = 0;
    const { clock, queue } = await setUp((driver) => {
      driver.classify = (): Classification => ({ code: 'unavailable', retryable: true, outcomeUnknown: true });
      const subscribe = driver.subscribe.bind(driver);
      driver.subscribe = async (options): Promise<DriverSubscription> => {
        subscriptions++;
        const subscription = await subscribe(options);
        const receive = subscription.receive.bind(subscription);
        subscription.receive = async (max, waitMs, signal) => {
          if (++receives === 2) throw error;
          return receive(max, waitMs, signal);
        };
        return subscription;
      };
    });
    let finish = (): void => {};
    const log: string[] = [];
    for (const name of ['lease-lost', 'settled'] as const) queue.events.on(name, () => log.push(name));
    await queue.consume(jobs, ({ message, redeliveries }) => {
      log.push(`${message.body} ${redeliveries}`);
      return message.body > 1 || redeliveries > 0
        ? undefined
        : new Promise<void>((resolve) => {
            finish = resolve;
          });
    });
    await queue.publish(jobs, 1);
    await clock.advance(1_000);
    finish();
    await clock.advance(0);
    await queue.publish(jobs, 2);
    await clock.advance(1_000);
    await queue.close();
    expect(clock.pending).toBe(0);
    return { log, subscriptions };
  }

  it.each([
    ['what its driver throws', raw],
    ['a refusal that may end', new Refusal('unavailable', 'reconnecting', 'wait')],
  ])('by %s goes on with what it holds', async (_, error) => {
    expect(await failing(error)).toEqual({ log: ['1 0', 'settled', '2 0', 'settled'], subscriptions: 1 });
  });

  it('by a refusal for good is made anew, and what was held comes again', async () => {
    expect(await failing(new Refusal('closed', 'the channel is gone', 'subscribe again'))).toEqual({
      log: ['1 0', 'lease-lost', '1 1', 'settled', '2 0', 'settled'],
      subscriptions: 2,
    });
  });
});
