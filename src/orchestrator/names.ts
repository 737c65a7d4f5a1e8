/**
 * The fixed names of the orchestrator's messages, so that people see what is the same message sent again.
 * The queue never drops one because of its name. They start with the request id, which always fits: a
 * runner's build id may be as long as a message id by itself.
 */
export const requestedName = (requestId: string): string => `${requestId}/requested`;
export const pollName = (requestId: string, poll: number): string => `${requestId}/poll/${poll}`;
export const deadlineName = (requestId: string): string => `${requestId}/deadline`;
export const cancelName = (requestId: string): string => `${requestId}/cancel`;
export const finishedName = (requestId: string): string => `${requestId}/finished`;

/** What a message of `build.signal` is for a build, by its name: what nobody of us named is a push. */
export type NamedSignal =
  | { readonly kind: 'poll'; readonly poll: number }
  | { readonly kind: 'deadline' }
  | { readonly kind: 'push' };

/** Reads a name back, for dead letters, whose notices have no body. */
export function signalOfName(requestId: string, name: string): NamedSignal {
  if (name === deadlineName(requestId)) return { kind: 'deadline' };
  const prefix = pollName(requestId, 0).slice(0, -1);
  const number = name.startsWith(prefix) ? name.slice(prefix.length) : '';
  return /^[1-9]\d{0,14}$/.test(number) ? { kind: 'poll', poll: Number(number) } : { kind: 'push' };
}
