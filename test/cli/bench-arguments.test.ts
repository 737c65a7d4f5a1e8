import { describe, expect, test } from 'vitest';
import { type Benchmarked, readBenchArguments } from '../../bench/arguments.js';

const benchmarks: readonly Benchmarked[] = [
  { name: 'memory', schemes: null },
  { name: 'mysql', schemes: ['mysql://', 'mariadb://'] },
  { name: 'sqlite', schemes: null, file: true },
];
const none = { json: false, messages: null, only: null };

describe('the arguments of npm run bench', () => {
  test('are a benchmark, which is the first when none is named, and its options', () => {
    expect(readBenchArguments([], benchmarks)).toEqual({ name: 'memory', url: null, options: none });
    expect(readBenchArguments(['memory', '--json', '--messages', '5'], benchmarks)).toEqual({
      ...{ name: 'memory', url: null, options: { ...none, json: true, messages: 5 } },
    });
    expect(readBenchArguments(['sqlite', '--only', 'idle'], benchmarks)).toEqual({
      ...{ name: 'sqlite', url: null, options: { ...none, only: 'idle' } },
    });
    expect(readBenchArguments(['sqlite', 'some/queue.db'], benchmarks)).toEqual({
      ...{ name: 'sqlite', url: 'some/queue.db', options: none },
    });
    expect(readBenchArguments(['mysql', 'mariadb://root@127.0.0.1/test', '--only', 'idle'], benchmarks)).toEqual({
      ...{ name: 'mysql', url: 'mariadb://root@127.0.0.1/test', options: { ...none, only: 'idle' } },
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
    [['memory', '--only', 'idle'], 'the memory benchmark has no sections'],
    [['mysql'], 'the mysql benchmark needs the URL of a server'],
    [['mysql', 'amqp://127.0.0.1'], 'needs a URL that begins with mysql:// or mariadb://'],
    [['mysql', 'mysql://127.0.0.1', 'more'], 'one benchmark at a time'],
    [['sqlite', 'one.db', 'two.db'], 'one benchmark at a time'],
  ])('%o are refused in one line that shows the usage', ([args, fault]) => {
    const read = readBenchArguments(args, benchmarks);

    expect(read).toEqual({ usage: expect.stringContaining(fault) });
    expect(read).toEqual({
      usage: expect.stringMatching(
        /^[^\n]*usage: npm run bench -- \[memory\|mysql URL\|sqlite \[FILE\]\] \[--json\] \[--messages N\] \[--only SECTION\]$/,
      ),
    });
  });
});
