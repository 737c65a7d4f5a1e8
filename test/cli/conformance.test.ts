import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { allCases } from 'signalbox/conformance';
import type { Driver } from 'signalbox/driver';
import { memory, memoryStore } from 'signalbox/memory';
import { afterEach, describe, expect, test } from 'vitest';
import { cli } from './world.js';

const quick = 'what-was-acked-is-gone-for-new-clients-too';
const delayed = 'a-delayed-message-is-not-seen-early-nor-late';
const folder = mkdtempSync(join(tmpdir(), 'signalbox-'));
const file = join(folder, 'report.md');

afterEach(() => rmSync(file, { force: true }));

/** A backend that says nothing of what it is, in real time: what a server is to this command. `altered` replaces parts of each client. */
function backend(altered: (driver: Driver) => Partial<Driver> = () => ({})): (url: string) => Promise<Driver> {
  const store = memoryStore();
  return async () => {
    const driver = memory({ store });
    const parts = altered(driver);
    return new Proxy(driver, {
      get(target, name) {
        if (name in parts) return parts[name as keyof Driver];
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  };
}

const forgetful = backend(() => ({ send: async (batch) => batch.map(() => ({ status: 'stored', groups: 1 })) }));

describe('conformance', () => {
  test('tries the memory backend against every promise, with every fault, and prints each with its verdict', async () => {
    const { code, stdout } = await cli(['conformance', 'memory:', '--markdown', file]);

    expect(code).toBe(0);
    expect(stdout).toMatch(new RegExp(`^memory Node\\.js ${process.versions.node}\n`));
    expect(stdout).toMatch(/\n2\.1 `publishAfter` is the same.* \[kept\]\n {2}ok {3}a-delayed-message/);
    expect(stdout).toMatch(/\n\d+ cases passed, 0 failed, \d+ not applicable, \d+ not exercised\n$/);
    for (const { id } of allCases) expect(stdout).toContain(` ${id}`);
    expect(readFileSync(file, 'utf8')).toMatch(
      /^# Conformance of memory Node\.js [\s\S]*\| 2\.1 \| .* \| kept \| \d+ of \d+ \|/,
    );
  });

  test('tries other backends in real time, and says what it cannot exercise there', async () => {
    const argv = ['conformance', 'server://here', '--only', quick, '--only', delayed, '--json'];
    const { code, world } = await cli([...argv, '--only', 'delays-of-thirty-days-are-possible-and-kept'], {
      connect: backend(),
    });

    expect(code).toBe(0);
    const { promises } = world.json as { promises: { verdict: string; cases: { id: string; reason: string }[] }[] };
    expect(promises.map(({ verdict, cases }) => [verdict, cases[0]?.id, cases[0]?.reason])).toEqual([
      ['kept', delayed, null],
      ['not exercised', 'delays-of-thirty-days-are-possible-and-kept', expect.stringContaining('real')],
      ['kept', quick, null],
    ]);
  });

  test('answers 1 when a promise is broken, and names it', async () => {
    const argv = ['conformance', 'server:', '--markdown', file, '--only', 'two-sends-with-one-id-are-two-messages'];
    const { code, stdout } = await cli(argv, { connect: forgetful });

    expect(code).toBe(1);
    expect(stdout).toMatch(/\n1\.5 .* \[broken\]\n {2}FAIL two-sends-with-one-id-are-two-messages: /);
    expect(readFileSync(file, 'utf8')).toContain('## Failed\n\n- `two-sends-with-one-id-are-two-messages`: ');
  });

  test('prints each case as it ends when asked to', async () => {
    const { stderr } = await cli(['conformance', 'memory:', '--only', quick, '--verbose']);

    expect(stderr).toBe(`passed ${quick}\n`);
  });

  test.each([
    [['memory:', '--only', 'no-such-case'], 2, 'it has no case "no-such-case"; take an id from its report'],
    [
      ['memory:', '--only', quick, '--markdown', join(folder, 'no', 'such')],
      2,
      ': ENOENT; give --markdown another file',
    ],
    [['nosuch:'], 2, 'nothing is known about the scheme "nosuch:"'],
    [['memory:a b'], 2, 'a memory URL is "memory:" or "memory:NAME"'],
    [['sqlite://localhost/queue'], 2, 'a sqlite URL has no host'],
    [[], 2, "missing required argument 'url'"],
  ])('%j is answered with %d in one line', async (argv, expected, what) => {
    const { code, stderr } = await cli(['conformance', ...argv]);

    expect({ code, lines: stderr.trimEnd().split('\n').length }).toEqual({ code: expected, lines: 1 });
    expect(stderr).toContain(what);
  });

  test('a backend that cannot be reached is told as such, without its URL', async () => {
    const connect = backend(() => ({
      open: () => Promise.reject(new Error('connect ECONNREFUSED mysql://me:hunter2@db')),
      classify: () => ({ code: 'unavailable', retryable: true, outcomeUnknown: false }),
    }));

    const { code, stderr } = await cli(['conformance', 'server://me:hunter2@db'], { connect });

    expect(code).toBe(4);
    expect(stderr).not.toContain('hunter2');
  });
});
