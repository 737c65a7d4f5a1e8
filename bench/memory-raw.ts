import { memory } from 'signalbox/memory';

/** The raw limit: the same messages through the driver alone, no schema, no promises per message, in batches. */
export async function rawMemory(count: number, batch: number): Promise<void> {
  const driver = memory();
  await driver.open({ logger: { info() {}, warn() {} }, emit() {} });
  const topic = {
    name: 'raw',
    ordering: 'none',
    lanes: 1,
    groups: [{ name: 'default', patterns: ['#'] }],
    maxRedeliveries: 20,
    expectedDelaysMs: [],
  } as const;
  await driver.declare({ topics: [topic] }, { mode: 'assert', change: false });
  const subscription = await driver.subscribe({
    topic: 'raw',
    group: 'default',
    prefetch: batch,
    consumer: 'raw',
    onLost() {},
  });
  const body = Buffer.alloc(200, 'b');
  const unhurried = new AbortController().signal;
  for (let sent = 0; sent < count; sent += batch) {
    await driver.send(
      Array.from({ length: batch }, (_, i) => ({
        target: { kind: 'topic' },
        message: {
          id: `id-${sent + i}`,
          topic: 'raw',
          key: null,
          routingKey: null,
          headers: {},
          body,
          publishedAt: 0,
          format: 1,
        },
        lane: 0,
        counts: { attempt: 1, postpones: 0, firstFailedAt: null },
        delayMs: 0,
        nonce: `nonce-${sent + i}`,
        unmatched: 'reject',
        dedup: null,
      })),
    );
    const received = await subscription.receive(batch, 0, unhurried);
    await subscription.settle(received.map(({ receipt }) => ({ kind: 'ack', receipt, outbox: [] })));
  }
  await driver.close();
}
