import { defineTopic, openQueue, sleep, VirtualClock } from 'signalbox';
import { memory, memoryStore } from 'signalbox/memory';
import { beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';

const jobs = defineTopic('jobs', { schema: z.string() });
const ordered = defineTopic('ordered', { schema: z.string(), ordering: 'key' });

describe('a signal within a transaction', () => {
  const clock = new VirtualClock();
  let aborter: AbortController;

  beforeEach(() => {
    aborter = new AbortController();
  });

  /** `hold` keeps the backend from answering what is sent. */
  async function setUp(hold: Promise<unknown> | null = null) {
    const store = memoryStore({ clock });
    const driver = memory({ store });
    const send = driver.send.bind(driver);
    driver.send = async (batch, within) => {
      await hold;
      return send(batch, within);
    };
    const queue = await openQueue(driver, { topics: [jobs] });
    const transaction = store.begin();
    return { queue, transaction, within: queue.within(transaction) };
  }

  it('that was aborted before sends nothing, and the transaction goes on', async () => {
    const { queue, transaction, within } = await setUp();
    await using _ = queue;
    aborter.abort();
    const { signal } = aborter;

    for (const call of [
      () => within.publish(jobs, 'no', { signal }),
      () => within.publishAfter(jobs, 'no', 5, { signal }),
      async () => {
        const [result] = await within.publishBatch(jobs, [{ body: 'no' }], { signal });
        throw result?.status === 'failed' ? result.error : result;
      },
    ]) {
      await expect(call()).rejects.toMatchObject({ name: 'QueueError', code: 'aborted', outcomeUnknown: false });
    }
    await within.publish(jobs, 'yes');
    transaction.commit();

    expect(await queue.admin.depth(jobs)).toMatchObject({ ready: 1, delayed: 0 });
  });

  it('that is aborted under way says that the outcome is unknown', async () => {
    let goOn = (): void => {};
    const { queue, transaction, within } = await setUp(
      new Promise<void>((resolve) => {
        goOn = resolve;
      }),
    );
    await using _ = queue;
    const published = within.publish(jobs, 'perhaps', { signal: aborter.signal });
    await clock.advance(0);

    aborter.abort();

    await expect(published).rejects.toMatchObject({ code: 'aborted', outcomeUnknown: true });
    goOn();
    await clock.advance(0);
    transaction.rollback();
    expect(await queue.admin.depth(jobs)).toMatchObject({ ready: 0, delayed: 0 });
  });

  it('that is aborted afterwards changes nothing', async () => {
    const { queue, transaction, within } = await setUp();
    await using _ = queue;
    await within.publish(jobs, 'yes', { signal: aborter.signal });
    aborter.abort();
    transaction.commit();

    expect(await queue.admin.depth(jobs)).toMatchObject({ ready: 1 });
  });
});

describe('publishes within a transaction', () => {
  it('reach the driver one after the other, however long each takes', async () => {
    const clock = new VirtualClock();
    const store = memoryStore({ clock });
    const driver = memory({ store });
    const send = driver.send.bind(driver);
    let calls = 0;
    driver.send = async (batch, within) => {
      await sleep(clock, 100 - 10 * ++calls);
      return send(batch, within);
    };
    await using queue = await openQueue(driver, { topics: [ordered] });
    const transaction = store.begin();
    const bodies = ['one', 'two', 'three', 'four'];

    const publishing = [
      queue.within(transaction).publishBatch(
        ordered,
        bodies.slice(0, 3).map((body) => ({ body, key: 'k' })),
      ),
      queue.within(transaction).publish(ordered, 'four', { key: 'k' }),
    ];
    await clock.advance(400);
    await Promise.all(publishing);
    transaction.commit();

    const seen: string[] = [];
    await queue.consume(ordered, ({ message }) => void seen.push(message.body));
    await clock.advance(0);
    expect(seen).toEqual(bodies);
  });
});
