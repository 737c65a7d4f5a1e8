import type { QueueErrorCode } from '../queue/index.js';

/** What the process answers to the shell. The only table of it: help, documentation tests and `run` read this one. */
export const exitCodes = {
  ok: 0,
  failed: 1,
  badInput: 2,
  notFound: 3,
  backend: 4,
  unsupported: 5,
} as const;

export type ExitCodeName = keyof typeof exitCodes;

export const exitCodeMeanings: Readonly<Record<ExitCodeName, string>> = {
  ok: 'done',
  failed: 'it went wrong on the way, or a second signal forced the end',
  badInput: 'a flag, a value or a file cannot be used as it is; nothing was sent',
  notFound: 'the topic, group or message that was named does not exist',
  backend: 'the backend cannot be reached, or refuses: credentials, rights, room, another topology',
  unsupported: 'this backend or this release cannot do it',
};

const nameByErrorCode: Readonly<Record<QueueErrorCode, ExitCodeName>> = {
  invalid: 'badInput',
  'payload-too-large': 'badInput',
  unsupported: 'unsupported',
  unroutable: 'notFound',
  'not-found': 'notFound',
  'topology-mismatch': 'backend',
  denied: 'backend',
  auth: 'backend',
  unavailable: 'backend',
  timeout: 'backend',
  'resource-exhausted': 'backend',
  conflict: 'failed',
  'lease-lost': 'failed',
  'already-settled': 'failed',
  aborted: 'failed',
  closed: 'failed',
  internal: 'failed',
};

export function exitCodeOf(code: QueueErrorCode): number {
  return exitCodes[nameByErrorCode[code]];
}

/** The last lines of every `--help`. */
export function exitCodesHelp(): string {
  const lines = (Object.keys(exitCodes) as ExitCodeName[]).map(
    (name) => `  ${exitCodes[name]}  ${exitCodeMeanings[name]}`,
  );
  return `\nExit codes:\n${lines.join('\n')}\nA demo that a signal stops answers 128 and the signal's number: 130 or 143.\n`;
}
