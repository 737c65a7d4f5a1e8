import type { Command } from 'commander';
import { type BuildStore, memoryBuildStore } from '../../../orchestrator/index.js';
import { QueueError } from '../../../queue/index.js';
import { openBuildStore, storeUrlOf } from '../../build-store-of.js';
import type { Config } from '../../config/config.js';
import { addSettings } from '../../config/setting-option.js';
import { settings } from '../../config/settings.js';
import { hasBuilds } from '../../existing-queue.js';
import { addCommonFlags, type CommonFlags, configOf } from '../../flags.js';
import type { CliIo } from '../../io.js';
import { isMissingOwnFile } from '../../own-folder.js';

export type BuildFlags = CommonFlags;

export function addBuildFlags(command: Command): Command {
  return addCommonFlags(addSettings(command, [settings.store]));
}

/** Opens the store of builds that is configured, and closes it whatever happens. */
export async function withBuildStore<T>(
  io: CliIo,
  flags: BuildFlags,
  use: (opened: { readonly store: BuildStore; readonly config: Config }) => Promise<T>,
): Promise<T> {
  const config = await configOf(io, flags);
  if (/^memory:/i.test(storeUrlOf(config))) {
    throw new QueueError(
      'cannot look at builds: on memory: they end with the process that keeps them; name another queue with --queue, or where they are kept with --store',
      { code: 'unsupported' },
    );
  }
  // One that is empty stands for what is not there: looking makes none.
  const store = (await isMade(storeUrlOf(config))) ? await openBuildStore(config) : memoryBuildStore();
  try {
    return await use({ store, config });
  } finally {
    await store.close();
  }
}

async function isMade(url: string): Promise<boolean> {
  if (isMissingOwnFile(url)) return false;
  return hasBuilds('look at builds', url);
}
