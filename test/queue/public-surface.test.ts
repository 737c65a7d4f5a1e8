import * as signalbox from 'signalbox';
import { expect, it } from 'vitest';

/**
 * What `import … from 'signalbox'` gives. Each name is a promise for as long as there is a version 0.x: a new one is
 * added here with its reason, and one that goes is a line in the changelog. Types are held by `types.test-d.ts`.
 */
const names = {
  openQueue: 'the door',
  defineTopic: 'declares what goes through it',
  QueueError: 'the one error that is thrown',
  queueErrorCodes: 'its closed list of codes, for exhaustive handling',
  PermanentError: 'what a handler throws to give up at once',
  VirtualClock: 'time for the tests of users',
  systemClock: "the machine's time, the default",
  sleep: 'waits on either clock',
  silentLogger: 'the default logger',
  deadLetterNoticeSchema: 'schema of notice topics',
  isTopic: 'tells a topic from what only looks like one, for tools',
  backoff: 'the retry arithmetic, for those who retry elsewhere by the same rule',
  matches: 'the pattern rule, for those who must predict it',
  laneOf: 'the lane of a key, for tools that look into a backend',
  moveMessages: 'empties one backend into another',
  planMove: 'what it would move',
  fnv1a32: 'the hash behind it, for its test vectors',
};

it('the package exports these names and no others', () => {
  expect(Object.keys(signalbox).sort()).toEqual(Object.keys(names).sort());
});
