import type { JobRequest } from './job-request.js';
import { sendRequested } from './outgoing.js';
import type { Handed, Ports } from './ports.js';
import { created } from './transitions.js';

/**
 * Makes a request a recorded build, once per request id, and asks for it to be triggered. While the record says
 * that it was not, a repeated request asks again: this delivery may be the one whose outbox was lost, and the
 * build stage triggers once however often it is asked.
 */
export async function intake(ports: Ports, delivery: Handed<JobRequest>): Promise<void> {
  const { build, created: isNew } = await ports.store.createIfAbsent(created(delivery.message.body, ports.now()));
  if (build.status === 'requested') await sendRequested(delivery.outbox, ports.topics, build);
  if (!isNew) ports.logger.info({ requestId: build.requestId, status: build.status }, 'request was known already');
}
