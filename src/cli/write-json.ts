import type { Output } from './io.js';

/** The one document of a `--json` command. */
export function writeJson(output: Output, document: unknown): void {
  output.write(`${JSON.stringify(document, null, 2)}\n`);
}

/** Epoch milliseconds as a timestamp in UTC. */
export function isoTime(epochMs: number): string {
  return new Date(epochMs).toISOString();
}
