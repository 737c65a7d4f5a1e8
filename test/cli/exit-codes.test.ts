import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { type ExitCodeName, exitCodeMeanings, exitCodeOf, exitCodes } from '../../src/cli/exit-codes.js';
import { QueueError, queueErrorCodes } from '../../src/queue/index.js';
import { cli } from './world.js';

test.each(queueErrorCodes)('an error with the code %s has its exit code, wherever it comes from', async (code) => {
  const connect = () => Promise.reject(new QueueError('cannot do it: for a test; mend it', { code }));

  const outcome = await cli(['topics', '--queue', 'memory:x'], { connect });

  expect(outcome.code).toBe(exitCodeOf(code));
  expect(outcome.code).toBeGreaterThan(0);
  expect(outcome.stderr).toBe('signalbox: cannot do it: for a test; mend it\n');
});

test('the documentation has the same table', () => {
  const documentation = readFileSync(new URL('../../docs/command-line.md', import.meta.url), 'utf8');

  for (const name of Object.keys(exitCodes) as ExitCodeName[])
    expect(documentation).toContain(`| ${exitCodes[name]} | ${exitCodeMeanings[name]} |`);
});
