import { QueueError } from 'signalbox';

/** `code`, with the server's own code behind a slash where a cause brings one: never its text, which may tell a URL. */
export function errorCode(error: unknown): string {
  const code = error instanceof QueueError ? error.code : `not a QueueError, but ${nameOf(error)}`;
  const cause = causeCode(error, 4);
  return cause === null ? code : `${code}/${cause}`;
}

function causeCode(error: unknown, depth: number): string | null {
  if (depth === 0 || !(error instanceof Error)) return null;
  const { code } = error as { readonly code?: unknown };
  const own =
    !(error instanceof QueueError) && (typeof code === 'string' || typeof code === 'number') ? `${code}` : null;
  return own ?? causeCode(error.cause, depth - 1);
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : typeof error;
}
