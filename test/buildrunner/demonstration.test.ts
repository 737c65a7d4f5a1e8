import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  type BuildReport,
  BuildUnknownError,
  demonstrationDeadlineMs,
  demonstrationRunner,
  isTerminal,
} from '../../src/buildrunner/index.js';
import { VirtualClock } from '../../src/queue/virtual-clock.js';
import { requestOf } from './requests.js';

type Job = Record<string, unknown>;

const lines = readFileSync(new URL('../../examples/jobs.jsonl', import.meta.url), 'utf8')
  .trimEnd()
  .split('\n');
const jobs = lines.map((line) => JSON.parse(line) as Job);
const isWellFormed = (job: Job): boolean =>
  /^[0-9a-f]{40}$/.test(String(job.commit_sha)) && ['github', 'forgejo', 'manual'].includes(String(job.source));
const wellFormed = jobs.filter(isWellFormed);

describe('examples/jobs.jsonl', () => {
  test('has 44 requests, each with an id of its own, two of them malformed', () => {
    expect(jobs).toHaveLength(44);
    expect(new Set(jobs.map((job) => job.request_id)).size).toBe(44);
    expect(jobs.filter((job) => !isWellFormed(job))).toEqual([
      expect.not.objectContaining({ commit_sha: expect.anything() }),
      expect.objectContaining({ source: 'gitlab' }),
    ]);
  });

  test('shows every source, hints, workflows, fields of later versions and the default version', () => {
    const known =
      /^(schema_version|request_id|source|repo_url|commit_sha|workflow_path|workflow_job_id|runs_on|submitted_at)$/;

    expect(new Set(wellFormed.map((job) => job.source))).toEqual(new Set(['github', 'forgejo', 'manual']));
    expect(jobs.some((job) => job.runs_on)).toBe(true);
    expect(jobs.some((job) => job.workflow_path)).toBe(true);
    expect(jobs.some((job) => Object.keys(job).some((name) => !known.test(name)))).toBe(true);
    expect(jobs.filter((job) => job.schema_version === undefined)).toHaveLength(1);
  });
});

describe('the demonstration', () => {
  const hints = ['workflow_path', 'workflow_job_id', 'runs_on'];
  const triggerFor = (job: Job) =>
    requestOf(String(job.request_id), {
      head: [{ repoUrl: String(job.repo_url), commitSha: String(job.commit_sha) }],
      metadata: Object.fromEntries(hints.flatMap((name) => (job[name] ? [[name, String(job[name])]] : []))),
    });

  test('has builds that fail, one cancelled, one unknown when asked, one that only its deadline ends', async () => {
    const clock = new VirtualClock();
    const runner = demonstrationRunner({ clock });
    const polls = new Map<string, number>();
    const ends = new Map<string, string>();
    const poll = async (id: Awaited<ReturnType<typeof runner.trigger>>): Promise<void> => {
      polls.set(id.id, (polls.get(id.id) ?? 0) + 1);
      const answer = await runner.status(id).catch((error: unknown) => error as Error);
      if (answer instanceof BuildUnknownError) ends.set(id.id, 'unknown');
      else if (isTerminal((answer as BuildReport).status)) ends.set(id.id, (answer as BuildReport).status);
    };
    const ids = await Promise.all(wellFormed.map((job) => runner.trigger(triggerFor(job))));

    while (clock.now() < Date.UTC(2026, 0, 1) + demonstrationDeadlineMs) {
      await clock.advance(500);
      for (const id of ids) if (!ends.has(id.id)) await poll(id);
    }

    const count = (end: string): number => [...ends.values()].filter((one) => one === end).length;
    expect(ends.size).toBe(ids.length - 1);
    expect(count('cancelled')).toBe(1);
    expect(count('unknown')).toBe(1);
    expect(count('failed')).toBeGreaterThanOrEqual(3);
    expect(count('failed')).toBeLessThan(10);
    expect(count('succeeded')).toBeGreaterThan(25);
    expect(Math.min(...polls.values())).toBeGreaterThan(1);
  });
});
