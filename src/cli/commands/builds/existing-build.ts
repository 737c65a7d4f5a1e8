import { type Build, type BuildStore, findBuild } from '../../../orchestrator/index.js';
import { QueueError } from '../../../queue/index.js';

/** The build of a request id or build id. Rejects with `not-found`; `verb` is what was to be done with it, `missing` why there may be none. */
export async function existingBuild(
  store: BuildStore,
  verb: 'show' | 'cancel',
  id: string,
  missing: string,
): Promise<Build> {
  const build = await findBuild(store, id);
  if (build !== null) return build;
  throw new QueueError(
    `cannot ${verb} build "${id}": none has this request id or build id${missing}; "signalbox builds" lists them, and a request becomes one when an orchestrator takes it: until then "signalbox topics" counts it as ready in "jobs"`,
    { code: 'not-found' },
  );
}
