import { QueueError } from '../queue/index.js';
import { type Build, hasEnded, isPolled } from './build.js';
import { findBuild } from './find-build.js';
import { cancelName } from './names.js';
import type { Outlet } from './outgoing.js';
import type { Ports } from './ports.js';
import { cancelRequested } from './transitions.js';
import { untilStored } from './until-stored.js';

const maxReasonChars = 500;

/**
 * Records that a build is to be cancelled and asks for a look at it, which carries it out; should that message be
 * lost, the next poll does. Answers the record as it stands then: a build that ended before is left as it is.
 */
export async function cancelBuild(ports: Ports, outlet: Outlet, id: string, reason: string | null): Promise<Build> {
  const { store, topics, now } = ports;
  checkArguments(id, reason);
  const given = reason === null ? null : reason.slice(0, maxReasonChars).toWellFormed();
  let standing: Build | null = null;

  await untilStored(`the cancel request for build "${id}"`, async () => {
    standing = await find();
    const next = cancelRequested(standing, given, now());
    if (next === standing) return 'done';
    if (!(await store.compareAndSet(next))) return 'again';
    standing = { ...next, version: next.version + 1 };
    return 'done';
  });
  const build = standing as unknown as Build;
  // Also when somebody asked before: their message may have been lost, and a push does no harm.
  if (!hasEnded(build) && isPolled(build)) {
    await outlet.publish(
      topics.signal,
      { id: build.buildId.id },
      { id: cancelName(build.requestId), key: build.buildId.id },
    );
  }
  return build;

  async function find(): Promise<Build> {
    const build = await findBuild(store, id);
    if (build !== null) return build;
    throw new QueueError(
      `cannot cancel "${id}": no build has this request id or build id; check it against the list of builds`,
      {
        code: 'not-found',
      },
    );
  }
}

/** Of callers without types: what is no text would otherwise fail somewhere inside, with nothing said about the cancel. */
function checkArguments(id: unknown, reason: unknown): void {
  if (typeof id !== 'string') {
    throw new QueueError(
      `cannot cancel a build: the id is ${kindOf(id)}, not a string; give a request id or build id`,
      { code: 'invalid' },
    );
  }
  if (reason !== null && typeof reason !== 'string') {
    throw new QueueError(
      `cannot cancel build "${id}": the reason is ${kindOf(reason)}, not a string; give a text or leave it out`,
      { code: 'invalid' },
    );
  }
}

function kindOf(value: unknown): string {
  return value === null || value === undefined ? String(value) : `of type ${typeof value}`;
}
