import { readFileSync } from 'node:fs';
import {
  allCases,
  type ConformanceReport,
  reportAsMarkdown,
  reportAsText,
  runConformance,
} from 'signalbox/conformance';
import { beforeAll, describe, expect, test } from 'vitest';
import { memoryHarness } from './memory-harness.js';

const text = readFileSync(new URL('../../docs/guarantees.md', import.meta.url), 'utf8');

/** Number and words of each promise of the document: `- **1.1** …`, wrapped over indented lines. */
const promises = new Map(
  [...text.matchAll(/^- \*\*([A-Z]?[0-9.]+)\*\* (.+(?:\n {2}.+)*)/gm)]
    // What we say about our promises names them, too, in the last section.
    .filter(({ index }) => index < text.indexOf('## Where we went beyond'))
    .map(([, number = '', words = '']) => [number, words.replace(/\n +/g, ' ')]),
);

let report: ConformanceReport;

beforeAll(async () => {
  report = await runConformance(memoryHarness());
}, 60_000);

describe('the guarantees', () => {
  test.each([...promises])(
    '%s is quoted word for word by its cases, one of which passes on memory',
    (number, words) => {
      const cases = allCases.filter((each) => each.number === number);
      const results = report.promises.filter((each) => each.number === number).flatMap((each) => each.cases);

      expect(cases.length).toBeGreaterThan(0);
      for (const each of cases) expect(each.promise).toBe(words);
      const shown = results.some(({ status }) => status === 'passed');
      const needsFaults = results.every(({ status }) => status === 'needs-faults');
      const isRefusal = cases.every(({ needs }) => needs.some((need) => need.startsWith('no ')));
      // Refusals are shown on backends that can less: capabilities.test.ts.
      expect(shown || needsFaults || isRefusal).toBe(true);
    },
  );

  test('are all that cases quote', () => {
    expect(allCases.filter(({ number }) => !promises.has(number)).map(({ id }) => id)).toEqual([]);
  });

  test('only durability and restarts are not shown by memory', () => {
    const notShown = report.promises.flatMap(({ cases }) => cases).filter(({ status }) => status === 'needs-faults');

    expect(new Set(notShown.map(({ reason }) => reason))).toEqual(new Set(['the harness has no restartBackend']));
    expect(report.promises.find(({ number }) => number === '1.2')?.cases.map(({ status }) => status)).toEqual(
      notShown.slice(0, 2).map(() => 'needs-faults'),
    );
  });

  test.each([
    ['durable', ({ durable }) => yesOrNo(durable)],
    ['delay: resolution, longest', ({ delay }) => `${delay.resolutionMs} ms, ${days(delay.maxMs)}`],
    ['lanes of a topic at most, key isolation', ({ ordering }) => `${ordering.lanes}, ${ordering.keyIsolation}`],
    ['idempotency window at most', ({ dedup }) => (dedup === null ? 'none' : days(dedup.windowMs))],
    ['transactions', ({ transactions }) => yesOrNo(transactions)],
    ['atomic outbox', ({ atomicOutbox }) => yesOrNo(atomicOutbox)],
    ['single writer', ({ singleWriter }) => yesOrNo(singleWriter)],
    ['lease', ({ lease }) => (lease === null ? 'none' : `${lease.ms / 1_000} s (an option)`)],
    ['counts redeliveries', ({ countsRedeliveries }) => yesOrNo(countsRedeliveries)],
    ['counts give-backs', ({ countsGiveBack }) => yesOrNo(countsGiveBack)],
    ['depth', ({ depth }) => knownFields(depth)],
    ['body at most', ({ limits }) => `${limits.bodyBytes / 1024 / 1024} MiB`],
  ] satisfies [string, (capabilities: ConformanceReport['capabilities']) => string][])(
    'the table of backends says of memory what its capabilities say: %s',
    (row, tell) => {
      const [, cell] = new RegExp(`^\\| ${row} \\| ([^|]*) \\|`, 'm').exec(text) ?? [];

      expect(cell).toBe(tell(report.capabilities));
    },
  );
});

describe('the suite', () => {
  test('has no two cases of one name, and no two texts of one promise', () => {
    expect(new Set(allCases.map(({ id }) => id)).size).toBe(allCases.length);
    const texts = new Set(allCases.map(({ number, promise }) => `${number} ${promise}`));
    expect(texts.size).toBe(promises.size);
  });

  test('runs single cases by name, and no unknown ones', async () => {
    const seen: string[] = [];
    const only = ['what-was-acked-is-gone-for-new-clients-too'];

    const { promises: run } = await runConformance(memoryHarness(), { only, onResult: ({ id }) => seen.push(id) });

    expect(run.map(({ number, cases }) => [number, cases.map(({ status }) => status)])).toEqual([['S1', ['passed']]]);
    expect(seen).toEqual(only);
    await expect(runConformance(memoryHarness(), { only: ['no-such-case'] })).rejects.toThrow(/no-such-case/);
  });

  test('reports promise by promise, as text and as Markdown', () => {
    const asText = reportAsText(report);
    const asMarkdown = reportAsMarkdown(report);

    expect(asText).toMatch(/^memory Node\.js/);
    expect(asText).toMatch(/^2\.3 A delay of zero or less is at once\. \[kept\]$/m);
    expect(asText).toMatch(/^1\.2 .* \[not exercised\]$/m);
    expect(asText).toMatch(/ 0 failed, /);
    expect(asMarkdown).toMatch(/^\| 2\.3 \| A delay of zero or less is at once\. \| kept \| 1 of 1 \|$/m);
    expect(asMarkdown).toContain('## Not run');
    expect(asMarkdown).not.toContain('## Failed');
  });

  test('says which promise is broken, by which case', () => {
    const broken: ConformanceReport = {
      ...report,
      promises: [
        {
          number: '2.3',
          promise: 'A delay of zero or less is at once.',
          cases: [
            { id: 'zero', layer: 'queue', status: 'failed', reason: null, error: new Error('late\nstack'), ms: 1 },
          ],
        },
      ],
    };

    expect(reportAsText(broken)).toContain('[broken]\n  FAIL zero: late\n');
    expect(reportAsMarkdown(broken)).toContain('## Failed\n\n- `zero`: late\n');
  });
});

function yesOrNo(flag: boolean): string {
  return flag ? 'yes' : 'no';
}

function days(ms: number): string {
  return `${ms / 24 / 60 / 60 / 1_000} days`;
}

function knownFields(depth: ConformanceReport['capabilities']['depth']): string {
  const names = { ready: 'ready', delayed: 'delayed', inHand: 'in hand', dead: 'dead', oldestAgeMs: 'oldest age' };
  return Object.entries(names)
    .flatMap(([field, name]) => (depth[field as keyof typeof names] ? [name] : []))
    .join(', ');
}
