import { describe, expect, test } from 'vitest';
import { readBenchArguments } from '../../bench/arguments.js';

const names = ['memory', 'mysql'];

describe('the arguments of npm run bench', () => {
  test('are a benchmark, which is the first when none is named, and its options', () => {
    expect(readBenchArguments([], names)).toEqual({ name: 'memory', options: { json: false, messages: null } });
    expect(readBenchArguments(['mysql', '--json', '--messages', '5'], names)).toEqual({
      name: 'mysql',
      options: { json: true, messages: 5 },
    });
  });

  test.for<readonly [readonly string[], string]>([
    [['memory', '--mesages', '5'], "Unknown option '--mesages'; usage"],
    [['--messages'], '--messages'],
    [['--messages', 'many'], '--messages must be a whole number from 1, not "many"'],
    [['--messages', '0'], 'must be a whole number from 1'],
    [['--messages', ''], 'must be a whole number from 1'],
    [['--messages', '1e999'], 'must be a whole number from 1'],
    [['--json=5'], '--json'],
    [['rabbit'], 'there is no benchmark "rabbit"'],
    [['toString'], 'there is no benchmark "toString"'],
    [['memory', 'mysql'], 'one benchmark at a time'],
  ])('%o are refused in one line that shows the usage', ([args, fault]) => {
    const read = readBenchArguments(args, names);

    expect(read).toEqual({ usage: expect.stringContaining(fault) });
    expect(read).toEqual({
      usage: expect.stringMatching(/^[^\n]*usage: npm run bench -- \[memory\|mysql\] \[--json\] \[--messages N\]$/),
    });
  });
});
