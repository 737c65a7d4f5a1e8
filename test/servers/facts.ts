import type { RabbitNode } from './rabbit-node.js';
import type { ServerName } from './server-name.js';

/** What has to be known of a running server in order to use it. Plain data: it goes from process to process. */
export interface ServerFacts {
  readonly name: ServerName;
  readonly version: string;
  readonly url: string;
  readonly host: string;
  readonly port: number;
  readonly node: RabbitNode | null;
  readonly containerId: string | null;
}
