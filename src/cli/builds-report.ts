import type { Build } from '../orchestrator/index.js';
import { type Colors, colorsFor } from './colors.js';
import { counted } from './counted.js';
import type { CliIo } from './io.js';
import { printable } from './printable.js';
import type { BuildsRun } from './run-builds.js';
import { type Column, tableOf } from './table.js';
import type { DeadLetterFacts, Tally } from './tally.js';

/** A build as an entry of a list. */
export function buildJson(build: Build) {
  return {
    requestId: build.requestId,
    buildId: build.buildId?.id ?? null,
    repoUrl: withoutUser(build.request.repo_url),
    commitSha: build.request.commit_sha,
    status: build.status,
    reason: reasonOf(build),
    polls: build.polls,
    seconds: secondsOf(build),
  };
}

/** A table of builds; their ids as far as tells them apart, or whole, for whoever wants to copy one. */
export function buildsTable(io: CliIo, builds: readonly Build[], { wholeIds = false } = {}): string {
  const colors = colorsFor(io.stdout, io.env);
  return tableOf(buildColumns(colors, builds, wholeIds), builds, io.stdout, colors);
}

/** What `demo --json` and `orchestrate --json` print about builds. */
export function buildsJson(run: BuildsRun, tally: Tally) {
  const { succeeded, failed, cancelled } = tally.states;
  return {
    backend: run.backend,
    builds: tally.builds.map(buildJson),
    deadLetters: tally.deadLetters.map(({ id, topic, group, cause, reason }) => ({ id, topic, group, cause, reason })),
    summary: {
      builds: tally.builds.length,
      succeeded,
      failed,
      cancelled,
      unended: tally.builds.length - tally.ended,
      deadLetters: tally.deadLetters.length,
      polls: tally.polls,
      seconds: rounded(run.seconds),
    },
    inHand: run.inHand,
  };
}

/** The tables of builds and dead letters, and the line that sums them up. */
export function writeBuilds(io: CliIo, run: BuildsRun, tally: Tally): void {
  const colors = colorsFor(io.stdout, io.env);
  const { succeeded, failed, cancelled } = tally.states;
  const unended = tally.builds.length - tally.ended;
  if (tally.builds.length > 0) io.stdout.write(`${buildsTable(io, tally.builds)}\n`);
  if (tally.deadLetters.length > 0) {
    io.stdout.write(`${colors.bold('Dead letters')}\n`);
    io.stdout.write(`${tableOf(letterColumns, tally.deadLetters, io.stdout, colors)}\n`);
  }
  const parts = [
    colors.green(`${succeeded} succeeded`),
    colors.red(`${failed} failed`),
    colors.yellow(`${cancelled} cancelled`),
    ...(unended > 0 ? [`${unended} not ended`] : []),
  ];
  io.stdout.write(
    `${counted(tally.builds.length, 'build')} in ${run.seconds.toFixed(1)} s: ${parts.join(', ')}; ${counted(tally.polls, 'poll')}; ${counted(tally.deadLetters.length, 'dead letter')}\n`,
  );
}

function buildColumns(colors: Colors, builds: readonly Build[], wholeIds: boolean): readonly Column<Build>[] {
  const idLength = wholeIds ? Number.POSITIVE_INFINITY : tellingLength(builds.map(({ requestId }) => requestId));
  const all: readonly Column<Build>[] = [
    { head: 'id', text: ({ requestId }) => requestId.slice(0, idLength) },
    { head: 'repository', text: ({ request }) => printable(shortUrl(request.repo_url)), narrow: 'start' },
    { head: 'commit', text: ({ request }) => request.commit_sha.slice(0, 8), expendable: 3 },
    { head: 'status', text: ({ status }) => status, paint: (text, { status }) => painter(colors, status)(text) },
    { head: 'polls', text: ({ polls }) => String(polls), align: 'right', expendable: 1 },
    { head: 'seconds', text: (build) => secondsOf(build)?.toFixed(1) ?? '-', align: 'right', expendable: 2 },
    { head: 'reason', text: (build) => printable(reasonOf(build) ?? ''), narrow: 'wrap' },
  ];
  return builds.some((build) => reasonOf(build) !== null) ? all : all.slice(0, -1);
}

/** How much of the beginning of ids tells them apart, from the usual 8 on; --json has all of them. */
function tellingLength(ids: readonly string[]): number {
  const longest = Math.max(...ids.map(({ length }) => length));
  let length = 8;
  while (length < longest && new Set(ids.map((id) => id.slice(0, length))).size < ids.length) length += 1;
  return length;
}

const letterColumns: readonly Column<DeadLetterFacts>[] = [
  { head: 'message', text: ({ id }) => printable(id) },
  { head: 'topic', text: ({ topic }) => printable(topic), expendable: 1 },
  { head: 'cause', text: ({ cause }) => cause },
  { head: 'reason', text: ({ reason }) => printable(reason), narrow: 'wrap' },
];

function painter(colors: Colors, status: Build['status']): (text: string) => string {
  if (status === 'succeeded') return colors.green;
  if (status === 'failed') return colors.red;
  return status === 'cancelled' ? colors.yellow : String;
}

/** Ours, or else what the runner said about an end that is no success. */
function reasonOf({ reason, metadata, status }: Build): string | null {
  return reason ?? (status === 'failed' || status === 'cancelled' ? (metadata.summary ?? null) : null);
}

function secondsOf({ createdAt, finishedAt }: Build): number | null {
  return finishedAt === null ? null : rounded((finishedAt - createdAt) / 1_000);
}

function rounded(seconds: number): number {
  return Math.round(seconds * 1_000) / 1_000;
}

function shortUrl(url: string): string {
  return withoutUser(url)
    .replace(/^https?:\/\//, '')
    .replace(/\.git$/, '');
}

/** Some clone by URLs that hold a token: it is nobody's business here. */
export function withoutUser(url: string): string {
  // With a slash in it as well; a number after the colon is a port, and what follows it a path.
  return url.replace(/^([a-z][a-z0-9+.-]*:\/\/)(?:[^/]*|[^/:]*:(?!\d+\/).*)@/is, '$1');
}
