import { randomUUID } from 'node:crypto';
import { type Driver, freshCounts, type Send } from '../queue/driver.js';
import { wrapError } from '../queue/failure.js';
import { type Logger, QueueError, type Topic } from '../queue/index.js';
import type { JobLine } from './jobs-file.js';

export interface ForeignPublishing {
  /** A client of its own on the queue's backend, not yet opened; it is closed at the end. */
  readonly driver: Driver;
  readonly topic: Topic;
  readonly routingKey: string;
  readonly logger: Logger;
  /** Ends it between two batches. */
  readonly signal: AbortSignal;
  /** Called with the number of lines sent so far. */
  readonly onSent: (count: number) => void;
}

/**
 * Sends lines as they are, as a program does that knows the queue and not this library: without its format,
 * its checks and its headers. `publish` would refuse a broken line before it was sent; what comes from other
 * people's programs is checked on receipt, and becomes a dead letter there.
 */
export async function publishForeign(lines: readonly JobLine[], publishing: ForeignPublishing): Promise<void> {
  const { driver, topic, routingKey, logger, signal, onSent } = publishing;
  const operation = `send job requests to "${topic.name}"`;
  try {
    await driver.open({ logger, emit: () => {} });
    const { limits } = driver.capabilities;
    checkSizes(operation, lines, Math.min(topic.maxBodyBytes, limits.bodyBytes));
    for (let from = 0; from < lines.length && !signal.aborted; from += limits.batch) {
      const batch = lines.slice(from, from + limits.batch).map((line) => foreignSend(line, topic, routingKey));
      for (const result of await driver.send(batch)) if (result.status === 'failed') throw result.error;
      onSent(from + batch.length);
    }
  } catch (error) {
    throw wrapError(operation, driver, error);
  } finally {
    await driver.close();
  }
}

function foreignSend({ id, bytes, requestId }: JobLine, topic: Topic, routingKey: string): Send {
  return {
    target: { kind: 'topic' },
    message: {
      id,
      topic: topic.name,
      // What the orchestrator finds the build by, should its intake fail. A broken line has no build.
      key: requestId,
      routingKey,
      headers: {},
      body: bytes,
      publishedAt: null,
      format: null,
    },
    lane: 0,
    counts: freshCounts,
    delayMs: 0,
    nonce: randomUUID(),
    unmatched: 'reject',
    dedup: null,
  };
}

/** Before anything is sent: nobody wants half a file on the queue. */
function checkSizes(operation: string, lines: readonly JobLine[], maxBytes: number): void {
  const tooLarge = lines.find(({ bytes }) => bytes.length > maxBytes);
  if (tooLarge === undefined) return;
  throw new QueueError(
    `cannot ${operation}: ${tooLarge.id} has ${tooLarge.bytes.length} bytes and ${maxBytes} are allowed; shorten that line, nothing was sent`,
    { code: 'payload-too-large' },
  );
}
