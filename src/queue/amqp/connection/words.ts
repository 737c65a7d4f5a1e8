/** What amqplib writes around the broker's own words. */
const closedBy =
  /^(?:Operation failed: \w+; |Channel closed by server: |Connection closed: )?\d{3} \([A-Z-]+\) with message "(.*)"$/s;

/**
 * The broker's own words in an error of amqplib's, or of ours that it caused: `ACCESS_REFUSED - access to exchange 'x' in vhost '/' refused for
 * user 'y'`. They name objects and users, never a password.
 */
export function wordsOf(error: unknown): string {
  if (error instanceof Error && error.cause !== undefined) return wordsOf(error.cause);
  const text = error instanceof Error ? error.message : String(error);
  return closedBy.exec(text)?.[1] ?? text;
}
