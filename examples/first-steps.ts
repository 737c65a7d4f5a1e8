import { defineTopic, openQueue } from 'signalbox';
import { z } from 'zod';

const thumbnails = defineTopic('thumbnails', {
  schema: z.object({ image: z.string(), width: z.number().default(320) }),
  maxAttempts: 3,
  backoff: { initialMs: 200 },
});

await using queue = await openQueue('memory:', { topics: [thumbnails] });

await queue.consume(thumbnails, async ({ message, attempt }) => {
  if (message.body.image === 'broken.png') throw new Error(`cannot read it, attempt ${attempt}`);
  console.log(`made ${message.body.image} ${message.body.width} wide`);
});

await queue.publish(thumbnails, { image: 'cat.png' });
await queue.publishAfter(thumbnails, { image: 'later.png', width: 64 }, 250);
await queue.publish(thumbnails, { image: 'broken.png' });

await new Promise<void>((resolve) => queue.events.on('dead-lettered', () => resolve()));
const { letters } = await queue.admin.deadLetters(thumbnails).list();
console.log(letters.map(({ death }) => `${death?.cause}: ${death?.reason}`));
