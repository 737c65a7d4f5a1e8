import { onTestFinished } from 'vitest';
import { Link, type LinkOptions, settingsFromUrl } from '../../../src/queue/amqp/connection/index.js';
import type { DriverEvent } from '../../../src/queue/driver.js';

export interface TestLink {
  readonly link: Link;
  readonly events: readonly DriverEvent[];
  /** What it logged as warnings, in full: passwords must not be in there. */
  readonly warnings: readonly { readonly fields: Readonly<Record<string, unknown>>; readonly message: string }[];
  /** Types of the events so far, `reconnecting` left out: how often it is tried depends on the machine. */
  facts(): readonly string[];
}

/** A link that is open, and closed when the test ends. */
export async function testLink(url: string, options: Partial<LinkOptions> = {}): Promise<TestLink> {
  const made = unopenedLink(url, options);
  await made.link.open();
  return made;
}

export function unopenedLink(url: string, options: Partial<LinkOptions> = {}): TestLink {
  const events: DriverEvent[] = [];
  const warnings: { fields: Readonly<Record<string, unknown>>; message: string }[] = [];
  const link = new Link(settingsFromUrl(url).settings, {
    name: 'signalbox test',
    logger: { info: () => undefined, warn: (fields, message) => void warnings.push({ fields, message }) },
    emit: (event) => void events.push(event),
    ...options,
  });
  onTestFinished(() => link.close());
  return {
    link,
    events,
    warnings,
    facts: () => events.map(({ type }) => type).filter((type) => type !== 'reconnecting'),
  };
}

/** A message to one queue. */
export function toQueue(queue: string, text: string, messageId = text): Parameters<Link['publish']>[0] {
  return { exchange: '', routingKey: queue, body: Buffer.from(text), properties: { messageId, persistent: true } };
}

/** Declares a durable queue and empties it. */
export async function declareQueue(
  link: Link,
  queue: string,
  type: 'classic' | 'quorum' = 'classic',
  more: object = {},
): Promise<void> {
  await link.withChannel(`declare ${queue}`, async (channel) => {
    await channel.assertQueue(queue, { durable: true, arguments: { 'x-queue-type': type, ...more } });
    await channel.purgeQueue(queue);
  });
}

/** Takes everything out of a queue: the texts, in order. */
export async function drain(link: Link, queue: string): Promise<string[]> {
  return link.withChannel(`drain ${queue}`, async (channel) => {
    const texts: string[] = [];
    for (;;) {
      const message = await channel.get(queue, { noAck: true });
      if (message === false) return texts;
      texts.push(message.content.toString());
    }
  });
}
