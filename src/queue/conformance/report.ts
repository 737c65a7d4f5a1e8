import type { CaseResult, ConformanceReport, PromiseResult } from './run.js';

/** How a promise came out: broken by one failure, kept by at least one case, else not shown. */
export type Verdict = 'kept' | 'broken' | 'not exercised' | 'not applicable';

/** Pure. */
export function verdictOf({ cases }: PromiseResult): Verdict {
  const has = (status: CaseResult['status']): boolean => cases.some((each) => each.status === status);
  if (has('failed')) return 'broken';
  if (has('passed')) return 'kept';
  return has('needs-faults') ? 'not exercised' : 'not applicable';
}

const marks: Record<CaseResult['status'], string> = {
  passed: 'ok  ',
  failed: 'FAIL',
  'not-applicable': 'n/a ',
  'needs-faults': '--  ',
};

/** For a terminal: each promise, and below it each case. */
export function reportAsText(report: ConformanceReport): string {
  const lines = [`${report.backend} ${report.version}`, ''];
  for (const each of report.promises) {
    lines.push(`${each.number} ${each.promise} [${verdictOf(each)}]`);
    for (const { id, status, ms, reason, error } of each.cases) {
      const detail =
        status === 'failed' ? `: ${firstLine(error)}` : reason === null ? ` (${ms.toFixed(0)} ms)` : `: ${reason}`;
      lines.push(`  ${marks[status]} ${id}${detail}`);
    }
  }
  return `${[...lines, '', summary(report)].join('\n')}\n`;
}

/** For a file that is kept: a table of promises, and the failures below it. */
export function reportAsMarkdown(report: ConformanceReport): string {
  const rows = report.promises.map((each) => {
    const shown = each.cases.filter(({ status }) => status === 'passed').length;
    return `| ${each.number} | ${inCell(each.promise)} | ${verdictOf(each)} | ${shown} of ${each.cases.length} |`;
  });
  const notRun = casesOf(report).filter(({ reason }) => reason !== null);
  const failed = casesOf(report).filter(({ status }) => status === 'failed');
  return `${[
    `# Conformance of ${report.backend} ${report.version}`,
    summary(report),
    ['| | promise | | cases passed |', '|---|---|---|---|', ...rows].join('\n'),
    ...section(
      'Failed',
      failed.map(({ id, error }) => `- \`${id}\`: ${firstLine(error)}`),
    ),
    ...section(
      'Not run',
      notRun.map(({ id, status, reason }) => `- \`${id}\` (${status}): ${reason}`),
    ),
  ].join('\n\n')}\n`;
}

function section(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : [`## ${title}`, lines.join('\n')];
}

function summary(report: ConformanceReport): string {
  const count = (status: CaseResult['status']): number =>
    casesOf(report).filter((each) => each.status === status).length;
  return `${count('passed')} cases passed, ${count('failed')} failed, ${count('not-applicable')} not applicable, ${count('needs-faults')} not exercised`;
}

function casesOf({ promises }: ConformanceReport): readonly CaseResult[] {
  return promises.flatMap(({ cases }) => cases);
}

function firstLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.split('\n', 1)[0] ?? '';
}

function inCell(text: string): string {
  return text.replaceAll('|', '\\|');
}
