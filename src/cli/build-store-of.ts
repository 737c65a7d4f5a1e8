import { type BuildStore, memoryBuildStore } from '../orchestrator/index.js';
import { isMysqlUrl } from './schemas.js';

/**
 * Where an orchestrator on this queue keeps its builds: in the queue's own database where there is one, so that whoever
 * comes next goes on with them; otherwise in this process. Whoever asks closes it.
 */
export async function buildStoreOf(url: string): Promise<BuildStore> {
  if (!isMysqlUrl(url)) return memoryBuildStore();
  const { mysqlBuildStore } = await import('../orchestrator/mysql/index.js');
  return mysqlBuildStore({ url });
}
