// The built program on a real terminal, a pseudo one of util-linux: only there is a width that nobody made up for the test.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { main } from './built-program.js';
import { cli, escapeSequence } from './world.js';

const script = '/usr/bin/script';
const hasTerminals = existsSync(script) && process.platform === 'linux';

let folder: string;
let url: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'signalbox-width-'));
  url = `sqlite:${join(folder, 'queue.db')}`;
  // Builds that end with a reason, and dead letters.
  const delays = ['--poll-accepted-ms', '20', '--poll-running-ms', '20', '--deadline-ms', '200'];
  const jobs = ['--jobs', 'examples/jobs.jsonl', '--until-idle', '--runner', 'scripted'];
  expect((await cli(['orchestrate', '--queue', url, ...jobs, ...delays])).code).toBe(0);
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What a terminal of so many columns is given, line by line. */
function onTerminal(columns: number, ...argv: readonly string[]): readonly string[] {
  const command = ['node', main, ...argv].map((word) => `'${word}'`).join(' ');
  const env = { ...process.env, NO_COLOR: '1', TERM: 'xterm' };
  const text = execFileSync(script, ['-qec', `stty cols ${columns}; ${command} 2>/dev/null`, '/dev/null'], {
    ...{ cwd: folder, env, encoding: 'utf8' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  expect(text).not.toMatch(escapeSequence);
  return text.split(/\r?\n/).filter((line) => line !== '');
}

const widest = (lines: readonly string[]): number => Math.max(...lines.map((line) => [...line].length));

describe.runIf(hasTerminals)('on a terminal', { timeout: 60_000 }, () => {
  test.each([40, 60, 80, 120])('of %d columns tables are no wider', (columns) => {
    for (const argv of [['builds'], ['dead-letters', 'list', 'jobs'], ['topics'], ['config']]) {
      const lines = onTerminal(columns, ...argv, ...(argv[0] === 'config' ? [] : ['--queue', url]));

      expect({ argv, fits: widest(lines) <= columns }).toEqual({ argv, fits: true });
    }
  });

  test('of 80 columns there is a table with whole ids; of 40 a field a line, and all of it', () => {
    expect(onTerminal(80, 'builds', '--queue', url)[0]).toMatch(/^id +repository +.*status +reason$/);
    expect(onTerminal(80, 'dead-letters', 'list', 'jobs', '--queue', url)[0]).toMatch(/^id +.*cause +.*reason$/);
    expect(onTerminal(80, 'topics', '--queue', url)[0]).toMatch(
      /^topic +group +ready +delayed +in hand +dead +oldest +state$/,
    );

    const narrow = onTerminal(40, 'builds', '--queue', url);
    expect(narrow.slice(0, 2)).toEqual(['id', expect.stringMatching(/^[\da-f-]{36}$/)]);
    expect(narrow.filter((line) => /^reason {6}timed out$/.test(line))).toHaveLength(42);
  });

  test('a JSON document is the same as elsewhere', () => {
    const { builds } = JSON.parse(onTerminal(40, 'builds', '--json', '--queue', url).join('\n')) as {
      builds: unknown[];
    };

    expect(builds).toHaveLength(42);
  });
});
