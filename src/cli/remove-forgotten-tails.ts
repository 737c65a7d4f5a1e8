import { machineName } from './machine-name.js';
import { isForgotten, tailGroupOf } from './tail-group.js';

/** The half of an admin that this takes: a queue's and a driver's have it. */
export interface GroupRemoval {
  topics(): Promise<readonly { readonly name: string; readonly groups: readonly { readonly name: string }[] }[]>;
  removeGroup(topic: string, group: string): Promise<void>;
}

/**
 * Removes the groups of tails that were killed, with all that has piled up in them since; answers their names. Every `tail` does so as it
 * starts, and every `orchestrate`, then and once an hour: a forgotten group would grow for ever.
 */
export async function removeForgottenTails(admin: GroupRemoval, now: number): Promise<readonly string[]> {
  const removed: string[] = [];
  for (const { name: topic, groups } of await admin.topics()) {
    for (const { name } of groups) {
      const group = tailGroupOf(name);
      if (group === null || !isForgotten(group, { now, host: machineName(), isAlive })) continue;
      await admin.removeGroup(topic, name);
      removed.push(name);
    }
  }
  return removed;
}

function isAlive(processId: number): boolean {
  try {
    process.kill(processId, 0);
    return true;
  } catch (error) {
    // Somebody else's process is one that lives.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
