import { writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import type { CaseResult, ConformanceReport } from '../../queue/conformance/index.js';
import { QueueError } from '../../queue/index.js';
import { harnessOf } from '../conformance-harness.js';
import { exitCodes } from '../exit-codes.js';
import { wholeNumberOption } from '../flags.js';
import type { Cli } from '../program.js';
import { type Progress, showProgress } from '../progress.js';
import { writeJson } from '../write-json.js';

type Suite = typeof import('../../queue/conformance/index.js');

interface ConformanceFlags {
  readonly only: readonly string[];
  readonly markdown?: string;
  readonly timeFactor: number;
  readonly concurrency: number;
  readonly json?: boolean;
  readonly verbose?: boolean;
}

export function addConformance(program: Command, { io, exitWith }: Cli): void {
  program
    .command('conformance')
    .description('Tries a backend against every promise of the contract and prints which it keeps.')
    .argument('<url>', 'the backend, such as memory: (it is filled with topics of the suite; use one for tests)')
    .option('--only <case>', 'run this case alone; may be given again', (id, ids: string[]) => [...ids, id], [])
    .option('--markdown <file>', 'write the report to a file, too')
    .addOption(
      wholeNumberOption(
        '--time-factor <n>',
        'give a slow backend so many times the time that things may take',
        1,
        1,
        100,
      ),
    )
    .addOption(
      wholeNumberOption('--concurrency <n>', 'run so many cases at once (memory: runs one after the other)', 8, 1, 64),
    )
    .option('--json', 'one JSON document on stdout, for programs')
    .option('--verbose', 'on an error, print its stack; print each case to stderr as it ends')
    .addHelpText('after', '\nExample:\n  $ signalbox conformance memory: --markdown conformance.md')
    .action(async (url: string, flags: ConformanceFlags) => {
      // Not with the program: the suite is large, and no other command needs it.
      const suite = await import('../../queue/conformance/index.js');
      checkCases(flags.only, suite);
      const harness = await harnessOf(url, io, flags.timeFactor);
      const total = flags.only.length === 0 ? suite.allCases.length : flags.only.length;
      let done = 0;
      let failed = 0;
      const progress = (): Progress => ({
        count: { done, total },
        what: 'cases',
        details: failed === 0 ? [] : [`${failed} failed`],
      });
      // Lines of cases and a line that is drawn over would spoil each other.
      const endProgress = flags.verbose ? () => {} : showProgress(io, io.clock, progress);
      const report = await suite
        .runConformance(harness, {
          only: flags.only.length === 0 ? undefined : flags.only,
          concurrency: flags.concurrency,
          onResult: ({ status, id }) => {
            done += 1;
            if (status === 'failed') failed += 1;
            if (flags.verbose) io.stderr.write(`${status} ${id}\n`);
          },
        })
        .finally(endProgress);
      if (flags.json) writeJson(io.stdout, documentOf(report, suite));
      else io.stdout.write(suite.reportAsText(report));
      if (failedOf(report).length > 0) exitWith(exitCodes.failed);
      if (flags.markdown !== undefined) await writeReport(flags.markdown, suite.reportAsMarkdown(report));
    });
}

function checkCases(ids: readonly string[], { allCases }: Suite): void {
  const unknown = ids.filter((id) => !allCases.some((each) => each.id === id));
  if (unknown.length === 0) return;
  throw new QueueError(
    `cannot run the conformance suite: it has no case ${unknown.map((id) => `"${id}"`).join(', ')}; take an id from its report`,
    { code: 'invalid' },
  );
}

function failedOf({ promises }: ConformanceReport): readonly CaseResult[] {
  return promises.flatMap(({ cases }) => cases.filter(({ status }) => status === 'failed'));
}

/** The report for programs: errors as text, since JSON knows none. */
function documentOf({ backend, version, capabilities, promises }: ConformanceReport, { verdictOf }: Suite) {
  return {
    backend,
    version,
    capabilities,
    promises: promises.map((each) => ({
      number: each.number,
      promise: each.promise,
      verdict: verdictOf(each),
      cases: each.cases.map(({ id, layer, status, reason, error, ms }) => ({
        ...{ id, layer, status, reason, ms: Math.round(ms) },
        error: error === undefined ? null : error instanceof Error ? error.message : String(error),
      })),
    })),
  };
}

async function writeReport(path: string, text: string): Promise<void> {
  await writeFile(path, text).catch((cause: { readonly code?: string }) => {
    throw new QueueError(`cannot write the report to "${path}": ${cause.code}; give --markdown another file`, {
      code: 'invalid',
      cause,
    });
  });
}
