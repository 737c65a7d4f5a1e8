import { type BuildReport, type BuildStatus, buildId } from '../../src/buildrunner/index.js';
import type { Build, TriggeredBuild } from '../../src/orchestrator/index.js';
import { type JobRequest, type JobRequestInput, jobRequestSchema } from '../../src/orchestrator/index.js';
import { created, observed, triggered } from '../../src/orchestrator/transitions.js';

export const startedAt = Date.UTC(2026, 0, 1);

/** The UUID of the nth request of a test. */
export function requestId(n: number): string {
  return `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
}

/** The nth job request of a test as its publisher sends it. */
export function job(n: number, differing: Partial<JobRequestInput> = {}): JobRequestInput {
  return {
    schema_version: 'jobrequest.v1',
    request_id: requestId(n),
    source: 'manual',
    repo_url: 'https://git.example.org/tern/compass.git',
    commit_sha: 'c0ffee'.padEnd(40, '0'),
    submitted_at: '2026-01-01T00:00:00Z',
    ...differing,
  };
}

export function jobRequest(n: number, differing: Partial<JobRequestInput> = {}): JobRequest {
  return jobRequestSchema.parse(job(n, differing));
}

export function requestedBuild(n = 1): Build {
  return created(jobRequest(n), startedAt);
}

/** The nth build of a test, n seconds younger than the first. */
export function requested(n: number): Build {
  return created(jobRequest(n), startedAt + n * 1_000);
}

/** A build in this state, as far as its record can be there by a runner's answers. */
export function buildAt(status: BuildStatus, differing: Partial<Build> = {}): TriggeredBuild {
  const facts = { buildId: buildId('b-1'), firstPollMs: 5_000, deadlineMs: 60_000, now: startedAt };
  const accepted = triggered(requestedBuild(), facts);
  const build = status === 'accepted' ? accepted : observed(accepted, report(status), startedAt + 1_000);
  return { ...build, ...differing } as TriggeredBuild;
}

export function report(status: BuildStatus, metadata: Record<string, string> = {}): BuildReport {
  return { status, metadata };
}
