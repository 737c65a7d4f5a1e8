import { buildIdSchema } from '../buildrunner/index.js';
import type { Build } from './build.js';
import type { BuildStore } from './build-store.js';

/** The build of a request id, however it is written, or of a build id; null where there is none. Rejects as the store does. */
export async function findBuild(store: BuildStore, id: string): Promise<Build | null> {
  const byRequest = await store.load(id.toLowerCase());
  if (byRequest !== null) return byRequest;
  const read = buildIdSchema.safeParse({ id });
  return read.success ? store.loadByBuildId(read.data) : null;
}
