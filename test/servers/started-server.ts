import type { ServerFacts } from './facts.js';
import type { ServerControl } from './server.js';

export interface StartedServer {
  readonly facts: ServerFacts;
  /** Null for a server that was given. */
  readonly control: ServerControl | null;
  readonly stop: () => Promise<void>;
}
