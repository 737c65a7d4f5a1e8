/** Every state a build can be in, in the order in which it passes through them; the last three are ends. */
export const buildStatuses = ['accepted', 'running', 'succeeded', 'failed', 'cancelled'] as const;

/**
 * Where a build stands. Every runner maps its own life cycle onto these: `accepted` is anything
 * before work began (queued, waiting for a machine), `running` anything after it.
 */
export type BuildStatus = (typeof buildStatuses)[number];

/** The states that a build never leaves. */
export type TerminalBuildStatus = Extract<BuildStatus, 'succeeded' | 'failed' | 'cancelled'>;

/** True of a state that a build never leaves: nothing is left to poll for. */
export function isTerminal(status: BuildStatus): status is TerminalBuildStatus {
  return status === 'succeeded' || status === 'failed' || status === 'cancelled';
}
