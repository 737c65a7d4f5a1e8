import { readFileSync } from 'node:fs';
import { allCases } from 'signalbox/conformance';
import { describe, expect, test, vi } from 'vitest';

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const guide = read('docs/writing-a-driver.md');
const sources = [
  'examples/one-file-driver/driver.ts',
  'examples/one-file-driver/conformance.ts',
  'examples/one-file-driver/report.ts',
  'test/examples/one-file-driver.test.ts',
].map(read);

const snippets = [...guide.matchAll(/```ts\n([\s\S]*?)\n```/g)].map(([, snippet]) => snippet as string);

describe('the guide for authors of drivers', () => {
  test.each(snippets)('shows the example as it is: %#', (snippet) => {
    // A method is shown without the indentation of its class.
    const indented = [0, 2, 4].map((width) => snippet.replace(/^(?=.)/gm, ' '.repeat(width)));

    expect(sources.some((source) => indented.some((each) => source.includes(`${each}\n`)))).toBe(true);
  });

  test('names only cases that exist', () => {
    const ids = new Set(allCases.map(({ id }) => id));
    const named = [...guide.matchAll(/`([a-z0-9]+(?:-[a-z0-9]+){3,})`/g)].map(([, id]) => id as string);

    expect(named.length).toBeGreaterThan(30);
    expect(named.filter((id) => !ids.has(id))).toEqual([]);
  });

  test('names every hook of the harness', () => {
    const members = [...read('src/queue/conformance/harness.ts').matchAll(/^ {2}readonly ([a-zA-Z]+)\?: /gm)];

    expect(members.length).toBeGreaterThan(8);
    for (const [, name] of members) expect(guide).toMatch(new RegExp(`\`${name}\\b`));
  });

  test('names only files that exist', () => {
    for (const [, path] of guide.matchAll(/\]\((?!https?:)([^)#]+)\)/g))
      expect(() => read(new URL(path as string, 'file:///docs/').pathname.slice(1)), path).not.toThrow();
  });

  test('has a program that prints the report', async () => {
    const log = vi.spyOn(console, 'log').mockImplementation(() => {});
    const { argv, exitCode } = process;
    process.argv = ['node', 'report', 'two-sends-with-one-id-are-two-messages'];

    await import('../../examples/one-file-driver/report.js');

    expect(log.mock.calls[0]?.[0]).toMatch(/^shelf 1\.0\.0\n\n1\.5 .* \[kept\]\n {2}ok {3}two-sends-with-one-id/);
    expect(process.exitCode).toBe(0);
    process.argv = argv;
    process.exitCode = exitCode;
    log.mockRestore();
  });
});
