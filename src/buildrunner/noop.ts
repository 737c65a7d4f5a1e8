import { buildId } from './build-id.js';
import type { BuildRunner } from './build-runner.js';
import { digest } from './digest.js';
import { checkTriggerRequest } from './trigger-request.js';

/**
 * The runner that builds nothing, for wiring tests, for a local start, and as the best case: every
 * build has succeeded at the first poll. It knows every build and cancels none.
 *
 * Ids are `noop-<n>`, where n is 128 bits of a hash of the idempotency key, in hex. So the same key
 * answers the same id and different keys different ones, under concurrency, after a restart and in
 * several processes alike, without anything kept. (A counter starts over with its process, and a
 * random number answers the second trigger of one key with a second id.)
 */
export function noopRunner(): BuildRunner {
  return {
    async trigger(request, options) {
      checkTriggerRequest(request);
      options?.signal?.throwIfAborted();
      return buildId(`noop-${digest('noop', request.idempotencyKey).toString('hex', 0, 16)}`);
    },
    async status(_buildId, options) {
      options?.signal?.throwIfAborted();
      return { status: 'succeeded', metadata: {} };
    },
    async cancel(_buildId, options) {
      options?.signal?.throwIfAborted();
    },
  };
}
