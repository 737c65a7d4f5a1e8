import { buildIdSchema } from '../../../buildrunner/index.js';
import type { Build, BuildStore } from '../../../orchestrator/index.js';
import { QueueError } from '../../../queue/index.js';

/** The build of a request id or build id. Rejects with `not-found`; `verb` is what was to be done with it. */
export async function findBuild(store: BuildStore, verb: 'show' | 'cancel', id: string): Promise<Build> {
  const byRequest = await store.load(id.toLowerCase());
  if (byRequest !== null) return byRequest;
  const read = buildIdSchema.safeParse({ id });
  const build = read.success ? await store.loadByBuildId(read.data) : null;
  if (build !== null) return build;
  throw new QueueError(
    `cannot ${verb} build "${id}": none has this request id or build id; "signalbox builds" lists them, and a request becomes one when an orchestrator takes it: until then "signalbox topics" counts it as ready in "jobs"`,
    { code: 'not-found' },
  );
}
