import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { compiledProgram } from '../../compiled-sources.js';

/** What `other-program.ts` is asked to do, and what it says. */
export interface OtherTask {
  readonly url: string;
  readonly topic: string;
  readonly ordering: 'none' | 'key';
  readonly leaseMs: number;
  /** By how much its time of day is wrong. */
  readonly clockOffsetMs: number;
  /** Publishes these once it is ready. */
  readonly publish: readonly { readonly n: number; readonly delayMs: number }[];
  /** Takes messages and never settles them. */
  readonly holds: boolean;
}

/**
 * Another process of Node.js with the sources as they are, for what no stand-in in this one can show: a real end by `kill -9`, a
 * wrong time of day. Ends with the block.
 */
export class OtherProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  /** What it said, in order: `ready`, `published`, or the number of a message that it got. */
  readonly said: (string | number)[] = [];

  constructor(task: OtherTask) {
    this.#child = fork(compiledProgram('test/mysql/failures/other-program.ts'), [JSON.stringify(task)]);
    this.#child.on('message', (message) => this.said.push(message as string | number));
  }

  async kill9(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill('SIGKILL');
    await once(this.#child, 'exit');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill9();
  }
}
