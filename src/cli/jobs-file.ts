import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { jobRequestSchema } from '../orchestrator/index.js';
import { QueueError } from '../queue/index.js';

/** One line of a jobs file, as it stands there. */
export interface JobLine {
  /** Name for the message: the file's and the line's number, so that a dead letter says where to look. */
  readonly id: string;
  readonly bytes: Uint8Array;
  /** Null where the line is no job request, which the queue will find out for itself. */
  readonly requestId: string | null;
}

export interface JobsFile {
  /** As it was given. */
  readonly path: string;
  readonly lines: readonly JobLine[];
}

const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf]);
const maxNameBytes = 200;

/**
 * Reads job requests, one JSON document a line; empty lines are none. Lines stay bytes: a broken one is to
 * reach the queue as broken as it is. An `invalid` error where the file cannot be read or has no line.
 */
export async function readJobsFile(path: string): Promise<JobsFile> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new QueueError(`cannot read the job requests of "${path}": ${reasonOf(cause)}; give --jobs another file`, {
      code: 'invalid',
      cause,
    });
  });
  const lines = linesOf(bytes, nameOf(path));
  if (lines.length > 0) return { path, lines };
  throw new QueueError(
    `cannot read the job requests of "${path}": it has none; write one JSON document a line, as "signalbox enqueue --dry-run" prints it`,
    { code: 'invalid' },
  );
}

function linesOf(bytes: Buffer, name: string): readonly JobLine[] {
  const lines: JobLine[] = [];
  let from = bytes.subarray(0, 3).equals(byteOrderMark) ? 3 : 0;
  for (let number = 1; from < bytes.length; number++) {
    const feed = bytes.indexOf(lineFeed, from);
    const end = feed < 0 ? bytes.length : feed;
    const line = bytes.subarray(from, end > from && bytes[end - 1] === carriageReturn ? end - 1 : end);
    from = end + 1;
    if (/^[ \t]*$/.test(line.subarray(0, 64).toString('latin1')) && line.toString('latin1').trim() === '') continue;
    lines.push({ id: `${name}:${number}`, bytes: line, requestId: requestIdOf(line) });
  }
  return lines;
}

function requestIdOf(line: Buffer): string | null {
  try {
    const read = jobRequestSchema.safeParse(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(line)));
    return read.success ? read.data.request_id : null;
  } catch {
    return null;
  }
}

/** The file's name as part of a message id, which has at most 255 bytes of plain text. */
function nameOf(path: string): string {
  const plain = basename(path)
    .replace(/\p{Cc}/gu, '?')
    .toWellFormed();
  return Buffer.byteLength(plain) <= maxNameBytes ? plain : 'jobs';
}

function reasonOf(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return 'there is no such file';
  if (code === 'EISDIR') return 'it is a folder';
  if (code === 'EACCES' || code === 'EPERM') return 'it may not be read';
  return `reading it failed (${code ?? 'unknown error'})`;
}
