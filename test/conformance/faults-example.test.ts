import { expect, it } from 'vitest';
import { everyOrderIsBookedOnce } from '../../examples/testing-a-handler.js';

it.each([...Array(20).keys()])(
  'the example of testing a handler holds, and its faults do happen (seed %i)',
  async (seed) => {
    const faults = await everyOrderIsBookedOnce(seed);

    expect([...faults].sort()).toEqual(['cut', 'delay', 'duplicate', 'fail', 'lose-answer', 'lose-lease']);
  },
);
