import type { Build } from '../orchestrator/index.js';
import { withoutUser } from './builds-report.js';
import type { Colors } from './colors.js';
import { printable } from './printable.js';
import { isoTime } from './write-json.js';

/** What has happened to a build so far, in order, by the times that its record keeps. */
function historyOf(build: Build): readonly { readonly at: number; readonly what: string }[] {
  const known: readonly (readonly [number | null, string])[] = [
    [build.createdAt, 'requested'],
    [build.triggeredAt, `taken by the runner as ${build.buildId?.id ?? '?'}`],
    [
      build.cancelRequestedAt,
      build.cancelReason === null ? 'cancel requested' : `cancel requested: ${build.cancelReason}`,
    ],
    [build.overdueAt, 'found to be past its deadline'],
    [build.cancelSentAt, 'cancel taken by the runner'],
    [build.remindedAt, 'reminded by the sweep'],
    [build.finishedAt, build.reason === null ? build.status : `${build.status}: ${build.reason}`],
  ];
  return known.flatMap(([at, what]) => (at === null ? [] : [{ at, what }])).sort((a, b) => a.at - b.at);
}

/** The whole record in `--json`. Times are ISO timestamps in UTC; the repository is shown without a user or token. */
export function buildRecordJson(build: Build) {
  const { request, buildId } = build;
  return {
    requestId: build.requestId,
    buildId: buildId?.id ?? null,
    status: build.status,
    reason: build.reason,
    request: { ...request, repo_url: withoutUser(request.repo_url) },
    polls: build.polls,
    nextPollAt: timeOrNull(build.nextPollAt),
    deadlineAt: timeOrNull(build.deadlineAt),
    cancelRequestedAt: timeOrNull(build.cancelRequestedAt),
    cancelReason: build.cancelReason,
    announced: build.announced,
    metadata: build.metadata,
    createdAt: isoTime(build.createdAt),
    updatedAt: isoTime(build.updatedAt),
    finishedAt: timeOrNull(build.finishedAt),
    history: historyOf(build).map(({ at, what }) => ({ at: isoTime(at), what })),
  };
}

export function buildRecordText(build: Build, colors: Colors): string {
  const { request } = build;
  const facts: readonly (readonly [string, string | null])[] = [
    ['request id', build.requestId],
    ['build id', build.buildId?.id ?? null],
    ['repository', withoutUser(request.repo_url)],
    ['commit', request.commit_sha],
    ['source', request.source],
    ['workflow', request.workflow_path ?? null],
    ['workflow job', request.workflow_job_id ?? null],
    ['runs on', request.runs_on ?? null],
    ['status', build.status],
    ['reason', build.reason],
    ['polls', String(build.polls)],
    ['next poll', timeOrNull(build.nextPollAt)],
    ['deadline', timeOrNull(build.deadlineAt)],
    ['announced', build.announced ? 'yes' : 'not yet'],
  ];
  const parts = [
    linesOf(facts, colors),
    section(
      'History',
      historyOf(build).map(({ at, what }) => [isoTime(at), what] as const),
      colors,
    ),
    section('Metadata', Object.entries(build.metadata), colors),
  ];
  return parts.filter((part) => part !== '').join('\n');
}

function section(head: string, facts: readonly (readonly [string, string])[], colors: Colors): string {
  return facts.length === 0 ? '' : `${colors.bold(head)}\n${linesOf(facts, colors)}`;
}

function linesOf(facts: readonly (readonly [string, string | null])[], colors: Colors): string {
  const known = facts.filter((fact): fact is readonly [string, string] => fact[1] !== null);
  const width = Math.max(...known.map(([name]) => printable(name).length));
  return known.map(([name, value]) => `${colors.bold(printable(name).padEnd(width))}  ${printable(value)}\n`).join('');
}

function timeOrNull(at: number | null): string | null {
  return at === null ? null : isoTime(at);
}
