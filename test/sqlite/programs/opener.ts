// Runs in a process of its own (see `bad-files.test.ts`), as another user: opens a queue, publishes once, and says how it went.
import { z } from 'zod';
import { defineTopic, openQueue, QueueError } from '../../../src/index.js';

const topic = defineTopic('jobs', { schema: z.object({ n: z.number() }) });
try {
  await using queue = await openQueue(process.argv[2] ?? '', { topics: [topic] });
  await queue.publish(topic, { n: 1 });
  process.send?.({ code: 'ok', message: '' });
} catch (error) {
  process.send?.(
    error instanceof QueueError
      ? { code: error.code, message: error.message, retryable: error.retryable }
      : { code: 'no QueueError', message: String(error) },
  );
}
process.disconnect();
