/** The signal of a `receive` that nobody ends early. */
export function unhurried(): AbortSignal {
  return new AbortController().signal;
}
