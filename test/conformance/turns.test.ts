import { describe, expect, it } from 'vitest';
import { gate, many } from '../../src/queue/conformance/bench.js';
import { Turns } from '../../src/queue/conformance/turns.js';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('turns', () => {
  it('let so many run at once, and the next when one has ended, also by failing', async () => {
    const turns = new Turns(3);
    const gates = many(5, () => gate());
    const started: number[] = [];
    const all = gates.map(({ opened }, n) =>
      turns.take(false, async () => {
        started.push(n);
        await opened;
        if (n === 1) throw new Error('failed');
      }),
    );
    const ended = Promise.allSettled(all);

    await turn();
    expect(started).toEqual([0, 1, 2]);
    gates[1]?.open();
    await turn();
    expect(started).toEqual([0, 1, 2, 3]);
    for (const each of gates) each.open();

    expect((await ended).map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
      'fulfilled',
      'fulfilled',
      'fulfilled',
    ]);
    expect(started).toEqual([0, 1, 2, 3, 4]);
  });

  it('let one run alone: after those before it, and before those behind it', async () => {
    const turns = new Turns(8);
    const gates = many(4, () => gate());
    const running = new Set<number>();
    const together: number[][] = [];
    const all = gates.map(({ opened }, n) =>
      turns.take(n === 2, async () => {
        running.add(n);
        together.push([...running]);
        await opened;
        running.delete(n);
      }),
    );

    for (const each of gates) {
      await turn();
      each.open();
    }
    await Promise.all(all);

    expect(together).toEqual([[0], [0, 1], [2], [3]]);
  });
});
