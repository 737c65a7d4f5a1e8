import type { LocalControl } from './local-control.js';
import type { RabbitNode } from './rabbit-node.js';
import type { ServerProcess } from './server-process.js';

/** A server that this process has started, and what else has to end with it. */
export interface StartedLocally {
  readonly url: string;
  readonly port: number;
  readonly version: string;
  readonly control: LocalControl;
  readonly rabbitNode: RabbitNode | null;
  readonly helpers: readonly ServerProcess[];
}
