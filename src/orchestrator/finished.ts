import { hasEnded } from './build.js';
import type { Handed, Ports } from './ports.js';
import type { BuildFinished } from './topics.js';
import { announced } from './transitions.js';
import { untilStored } from './until-stored.js';

/**
 * Notes that the end of a build has gone through `build.finished`, and with that to every other group of it: from
 * here on the sweep leaves the build alone.
 */
export async function finished(ports: Ports, delivery: Handed<BuildFinished>): Promise<void> {
  const requestId = delivery.message.body.request_id;
  await untilStored(`the end of build "${requestId}"`, async () => {
    const build = await ports.store.load(requestId);
    if (build === null) {
      throw new Error(
        `cannot note the end of build "${requestId}": no build is recorded under this id; check the build store if this goes on`,
      );
    }
    // Not ended: the store was rolled back. The sweep revives the chain, which finds the end again.
    if (!hasEnded(build) || build.announced) return 'done';
    return (await ports.store.compareAndSet(announced(build, ports.now()))) ? 'done' : 'again';
  });
}
