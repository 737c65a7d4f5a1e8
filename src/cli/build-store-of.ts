import { type BuildStore, memoryBuildStore } from '../orchestrator/index.js';
import { QueueError } from '../queue/index.js';
import type { Config } from './config/config.js';
import { isAmqpUrl, queueUrlOf } from './config/foreign-names.js';
import { defaultStoreUrl, isOwnFile, settings } from './config/settings.js';
import { makeOwnFolder } from './own-folder.js';
import { isMysqlUrl, isSqliteUrl } from './schemas.js';

/** Where builds are kept: where it was said, else in the queue's own database; a broker keeps no records, so there in a file. */
export function storeUrlOf(config: Config): string {
  const queueUrl = queueUrlOf(config);
  return config.get(settings.store) ?? (isAmqpUrl(queueUrl) ? defaultStoreUrl : queueUrl);
}

/** Opens the store that is configured. Whoever asks closes it. Rejects with `QueueError`. */
export function openBuildStore(config: Config): Promise<BuildStore> {
  const url = storeUrlOf(config);
  if (isOwnFile(url)) makeOwnFolder(url);
  return buildStoreOf(url);
}

/** Opens the store that a URL names; on `memory:` it ends with this process. Whoever asks closes it. Rejects with `QueueError`. */
export async function buildStoreOf(url: string): Promise<BuildStore> {
  checkStoreUrl(url);
  if (isMysqlUrl(url)) {
    const { mysqlBuildStore } = await import('../orchestrator/mysql/index.js');
    return mysqlBuildStore({ url });
  }
  if (isSqliteUrl(url)) {
    const { sqliteBuildStore } = await import('../orchestrator/sqlite/index.js');
    return sqliteBuildStore({ url });
  }
  return memoryBuildStore();
}

/** Throws `invalid` for a URL that names no kind of store. */
export function checkStoreUrl(url: string): void {
  if (/^memory:/i.test(url) || isMysqlUrl(url) || isSqliteUrl(url)) return;
  // Not the URL itself: it may hold a password.
  const scheme = /^[a-z][a-z0-9+.-]*:/i.exec(url)?.[0] ?? null;
  const what = scheme === null ? 'the URL has no scheme' : `builds cannot be kept in "${scheme}"`;
  throw new QueueError(`cannot open a build store: ${what}; give --store sqlite:FILE or mysql://user@host/database`, {
    code: 'invalid',
  });
}
