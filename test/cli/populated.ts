import { defineTopic, openQueue, PermanentError } from 'signalbox';
import { z } from 'zod';
import { newUrl } from './world.js';

const images = defineTopic('images', {
  schema: z.object({ n: z.number() }),
  groups: { default: {}, audit: { patterns: ['eu.#'] } },
});

/** The URL of a queue whose group `default` has dead letters `dead-0` …, one message ready and one delayed. */
export async function populated(dead: number): Promise<string> {
  const url = newUrl();
  const queue = await openQueue(url, { topics: [images] });
  let buried = 0;
  const allBuried = new Promise<void>((resolve) => {
    if (dead === 0) resolve();
    queue.events.on('dead-lettered', () => {
      buried += 1;
      if (buried === dead) resolve();
    });
  });
  for (let n = 0; n < dead; n++) await queue.publish(images, { n }, { id: `dead-${n}`, headers: { via: 'test' } });
  const consumer = await queue.consume(images, () => {
    throw new PermanentError('no such\u001b[31m image');
  });
  await allBuried;
  await consumer.close();
  await queue.publish(images, { n: 100 }, { routingKey: 'eu.de' });
  await queue.publishAfter(images, { n: 101 }, 3_600_000);
  await queue.close();
  return url;
}
