import { z } from 'zod';
import { defineTopic } from '../../../src/index.js';

export interface LanesTask {
  readonly url: string;
  readonly name: string;
}

/** A handler began, and again when it ended. */
export interface LanesWord {
  readonly n: number;
  readonly key: string;
  readonly startedAt: number;
  readonly endedAt: number | null;
}

export const orderedTopic = (name: string) =>
  defineTopic(name, { schema: z.object({ n: z.number() }), ordering: 'key', backoff: { initialMs: 50 } });
