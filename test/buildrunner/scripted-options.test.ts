import { expect, test } from 'vitest';
import { scriptedRunner } from '../../src/buildrunner/index.js';
import { VirtualClock } from '../../src/queue/virtual-clock.js';

const clock = new VirtualClock();

test.each<[string, unknown, RegExp]>([
  ['no options', undefined, /^cannot make a scripted runner: the options must be/],
  ['no clock', { seed: 1 }, /option clock must be a clock: systemClock, or a VirtualClock in tests; correct it/],
  ['a seed that is no number', { clock, seed: Number.NaN }, /option seed must be a string or a finite number/],
  ['an unknown option', { clock, seed: 1, rule: [] }, /the options must not have "rule".*correct its spelling/],
  [
    'a negative duration',
    { clock, seed: 1, rules: [{ when: {}, outcome: { end: 'failed', runningMs: -1 } }] },
    /option rules\[0\]\.outcome\.runningMs must be milliseconds, finite and 0 or more/,
  ],
  ['a duration that is NaN', { clock, seed: 1, cancelledAfterMs: Number.NaN }, /option cancelledAfterMs must be milli/],
  ['an endless duration', { clock, seed: 1, default: { acceptedMs: Infinity } }, /option default\.acceptedMs must be/],
  [
    'a range upside down',
    { clock, seed: 1, default: { runningMs: [2, 1] } },
    /default\.runningMs must .* smaller first/,
  ],
  [
    'a share above 1',
    { clock, seed: 1, default: { failedShare: 1.5 } },
    /default\.failedShare must be a number from 0/,
  ],
  [
    'shares that exceed the whole',
    { clock, seed: 1, default: { failedShare: 0.7, cancelledShare: 0.7 } },
    /option default must have shares that add up to 1 at most/,
  ],
  [
    'an unknown end',
    { clock, seed: 1, rules: [{ when: {}, outcome: { end: 'exploded' } }] },
    /option rules\[0\]\.outcome\S* must be an outcome whose end is "succeeded"/,
  ],
  [
    'a running time for what never ends',
    { clock, seed: 1, rules: [{ when: {}, outcome: { end: 'never', runningMs: 1 } }] },
    /option rules\[0\]\.outcome must not have "runningMs"/,
  ],
  [
    'a misspelt match',
    { clock, seed: 1, rules: [{ when: { repo_url: 'x' } }] },
    /option rules\[0\]\.when must not have "repo_url"/,
  ],
  [
    'a pattern that is none',
    { clock, seed: 1, rules: [{ when: { metadata: { runs_on: 3 } } }] },
    /option rules\[0\]\.when\.metadata\.runs_on must be a string, a regular expression or a function/,
  ],
  [
    'a probability that is none',
    { clock, seed: 1, faults: { unreachable: [{ probability: Number.NaN }] } },
    /option faults\.unreachable\[0\]\.probability must be a number from 0 \(never\) to 1 \(always\)/,
  ],
  [
    'an unreachable that never is',
    { clock, seed: 1, faults: { unreachable: [{ lost: 'answer' }] } },
    /option faults\.unreachable\[0\] must name when: a probability, firstCalls or windows/,
  ],
  [
    'half a call',
    { clock, seed: 1, faults: { unreachable: [{ firstCalls: 1.5 }] } },
    /option faults\.unreachable\[0\]\.firstCalls must be a whole number of calls/,
  ],
  [
    'a window that closes before it opens',
    { clock, seed: 1, faults: { unreachable: [{ windows: [{ fromMs: 5, toMs: 5 }] }] } },
    /option faults\.unreachable\[0\]\.windows\[0\] must have a fromMs smaller than its toMs/,
  ],
  [
    'an unknown operation',
    { clock, seed: 1, faults: { slow: { delayMs: 1, operations: ['poll'] } } },
    /option faults\.slow\.operations\[0\] must be .*"trigger"/,
  ],
  ['a delay left out', { clock, seed: 1, faults: { slow: {} } }, /option faults\.slow\.delayMs must be milliseconds/],
])('%s is refused with the option and the remedy', (_name, options, message) => {
  expect(() => scriptedRunner(options as never)).toThrow(TypeError);
  expect(() => scriptedRunner(options as never)).toThrow(message);
});

test('every bad option is named at once', () => {
  const options = { clock, seed: 1, cancelledAfterMs: -1, default: { failedShare: 2 } };

  expect(() => scriptedRunner(options)).toThrow(/default\.failedShare.*; option cancelledAfterMs/);
});
