/** What the name of a `tail`'s group says of it. */
export interface TailGroup {
  readonly expiresAt: number;
  readonly host: string;
  readonly processId: number;
}

/** A tail ends by itself after this long, so that whoever finds its group later knows that it was forgotten. */
export const longestTailMs = 24 * 60 * 60 * 1_000;

/** `tail-20260107T081336-host-4711-x9k2`: when it is over at the latest, whose it is, and that it is no other's of the same process. */
const namePattern = /^tail-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)-([A-Za-z0-9_.-]{1,40})-(\d{1,10})-[a-z0-9]{4}$/;

export function tailGroupName({ expiresAt, host, processId }: TailGroup, random: number): string {
  const time = new Date(expiresAt).toISOString().slice(0, 19).replace(/[-:]/g, '');
  const suffix = Math.floor(random * 36 ** 4)
    .toString(36)
    .padStart(4, '0');
  return `tail-${time}-${hostPart(host)}-${processId}-${suffix}`;
}

/** Reads a name back; null for every group that is not a tail's. */
export function tailGroupOf(name: string): TailGroup | null {
  const [whole, year, month, day, hour, minute, second, host = '', processId] = namePattern.exec(name) ?? [];
  if (whole === undefined) return null;
  const expiresAt = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(expiresAt) ? null : { expiresAt, host, processId: Number(processId) };
}

/**
 * Whether a tail has left its group behind: its time is over, or it ran on this machine and its process is gone. Of another machine's
 * process nobody can tell. Pure.
 */
export function isForgotten(
  group: TailGroup,
  {
    now,
    host,
    isAlive,
  }: { readonly now: number; readonly host: string; readonly isAlive: (processId: number) => boolean },
): boolean {
  if (group.expiresAt < now) return true;
  return group.host === hostPart(host) && !isAlive(group.processId);
}

function hostPart(host: string): string {
  return host.replace(/[^A-Za-z0-9_.-]/g, '_').slice(0, 40) || 'host';
}
