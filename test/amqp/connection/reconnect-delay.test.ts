import { expect, test } from 'vitest';
import { reconnectDelay } from '../../../src/queue/amqp/connection/reconnect-delay.js';

test('a reconnect waits twice as long each time, at most 2 s', () => {
  expect([1, 2, 3, 4, 5, 6, 99, 5_000].map((attempt) => reconnectDelay(attempt, 0))).toEqual([
    100, 200, 400, 800, 1_600, 2_000, 2_000, 2_000,
  ]);
});

test('chance takes away up to half of the wait, so that clients do not come back together', () => {
  expect([0, 0.25, 0.5, 0.999_999].map((random) => reconnectDelay(6, random))).toEqual([2_000, 1_750, 1_500, 1_000]);
});
