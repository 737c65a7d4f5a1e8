/**
 * JavaScript can throw anything, also what throws again when it is looked at: a proxy, a getter, an object
 * without text. What is done about an error must not depend on that, so everybody looks through these.
 */

/** `instanceof` that answers false where the question itself throws. */
export function isInstance<T>(value: unknown, of: abstract new (...args: never[]) => T): value is T {
  try {
    return value instanceof of;
  } catch {
    return false;
  }
}

/** What `read` answers as text; whatever that is, a text. */
export function textOf(read: () => unknown): string {
  try {
    return String(read());
  } catch {
    return '(something that has no text)';
  }
}

/** The name of an error, or what else was thrown: never its text, which may hold anything. */
export function thrownName(thrown: unknown): string {
  return isInstance(thrown, Error) ? textOf(() => thrown.name) : typeof thrown;
}
