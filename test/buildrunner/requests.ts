import type { TriggerRequest } from '../../src/buildrunner/index.js';

/** A request for tests, of the key and whatever matters to the test. */
export function requestOf(idempotencyKey: string, differing: Partial<TriggerRequest> = {}): TriggerRequest {
  return {
    queueName: 'main',
    base: [],
    head: [{ repoUrl: 'https://git.example.org/tern/compass.git', commitSha: 'a'.repeat(40) }],
    metadata: {},
    idempotencyKey,
    ...differing,
  };
}
