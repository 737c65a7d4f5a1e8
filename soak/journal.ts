import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import type { TopicName } from './plan.js';

/**
 * What happened, as those it happened to saw it. Every `at` is `monotonicMs()`: one clock for all processes of the
 * machine, which nobody sets.
 */
export type Entry =
  /** A publish was called. */
  | { readonly e: 'send'; readonly n: number; readonly at: number }
  | { readonly e: 'sent'; readonly n: number; readonly at: number; readonly outcome: SendOutcome }
  /** A handler got a message. `hand` is unique in the run and begins with the process's name. */
  | {
      readonly e: 'hand';
      readonly hand: string;
      readonly n: number;
      readonly topic: TopicName;
      readonly group: string;
      readonly id: string;
      readonly attempt: number;
      readonly postpones: number;
      readonly redeliveries: number;
      readonly at: number;
    }
  /** A settlement was called; `leaves` is the message in its outbox. */
  | {
      readonly e: 'settle';
      readonly hand: string;
      readonly verb: Verb;
      readonly delayMs: number;
      readonly leaves: number | null;
      readonly at: number;
    }
  | { readonly e: 'settled'; readonly hand: string; readonly outcome: SettleOutcome; readonly at: number }
  /** `delivery.signal` said that the lease or the connection was lost. */
  | { readonly e: 'lost'; readonly hand: string; readonly at: number }
  /** What a user of the library got to see, as `code` or `code/code of the cause`. */
  | { readonly e: 'error'; readonly operation: string; readonly code: string; readonly at: number }
  | { readonly e: 'killed'; readonly process: string; readonly at: number }
  | { readonly e: 'server-killed'; readonly at: number }
  /** The first time that the server, started again, answered a handshake. */
  | { readonly e: 'server-ready'; readonly at: number };

export type Verb = 'ack' | 'nack' | 'postpone' | 'reject';
/** `refused`: an error that says that nothing was stored. */
export type SendOutcome = 'stored' | 'unknown' | 'refused';
/** `lost`: somebody else has it, nothing was changed. `failed`: nothing was changed, still held. */
export type SettleOutcome = 'done' | 'lost' | 'unknown' | 'failed';

export interface Journal {
  write(entry: Entry): void;
}

/** Milliseconds of CLOCK_MONOTONIC: the same for all processes of one machine since it was started. */
export const monotonicMs = (): number => Number(process.hrtime.bigint()) / 1e6;

/** A line per entry, written before it returns: what was written survives the kill -9 of its writer. */
export class FileJournal implements Journal, Disposable {
  readonly #fd: number;

  constructor(file: string) {
    this.#fd = openSync(file, 'a');
  }

  write(entry: Entry): void {
    writeSync(this.#fd, `${JSON.stringify(entry)}\n`);
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}

/** Reads what was added to a journal since the last time. */
export class JournalTail {
  readonly #fd: number;
  readonly #chunk = Buffer.alloc(1 << 20);
  #position = 0;
  #rest: Buffer = Buffer.alloc(0);

  constructor(file: string) {
    this.#fd = openSync(file, 'a+');
  }

  /** Whole lines only: a writer that was killed may have left half of one, which says nothing. */
  read(): Entry[] {
    const entries: Entry[] = [];
    for (;;) {
      const bytes = readSync(this.#fd, this.#chunk, 0, this.#chunk.length, this.#position);
      if (bytes === 0) return entries;
      this.#position += bytes;
      const text = Buffer.concat([this.#rest, this.#chunk.subarray(0, bytes)]);
      const end = text.lastIndexOf(0x0a) + 1;
      this.#rest = Buffer.from(text.subarray(end));
      if (end === 0) continue;
      const lines = text.toString('utf8', 0, end - 1).split('\n');
      entries.push(...lines.map((line) => JSON.parse(line) as Entry));
    }
  }

  close(): void {
    closeSync(this.#fd);
  }
}
