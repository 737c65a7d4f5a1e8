import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { jobRequestSchema, queueNameOf } from '../../src/orchestrator/index.js';
import { job, jobRequest, requestId } from './requests.js';

const without = (...names: readonly string[]): Record<string, unknown> =>
  Object.fromEntries(Object.entries(job(1)).filter(([name]) => !names.includes(name)));

const issuesOf = (value: unknown): readonly string[] =>
  jobRequestSchema.safeParse(value).error?.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`) ?? [];

describe('a job request', () => {
  test('has version jobrequest.v1 when it names none', () => {
    expect(jobRequestSchema.parse(without('schema_version')).schema_version).toBe('jobrequest.v1');
  });

  test('of another version is refused with a message that says so', () => {
    expect(issuesOf({ ...job(1), schema_version: 'jobrequest.v2' })).toEqual([
      expect.stringMatching(/^schema_version: is "jobrequest\.v2", and this release reads "jobrequest\.v1" alone; /),
    ]);
  });

  test('may have fields that this release does not know, which are left out', () => {
    expect(jobRequestSchema.parse({ ...job(1), traceparent: '00-4bf9', pull_request: { number: 7 } })).toEqual(
      jobRequest(1),
    );
  });

  test('may have its optional fields as null, as foreign writers send them', () => {
    const read = jobRequestSchema.parse({ ...job(1), workflow_path: null, workflow_job_id: null, runs_on: null });

    expect(read.workflow_path ?? read.workflow_job_id ?? read.runs_on).toBeUndefined();
    expect(JSON.parse(JSON.stringify(read))).toEqual(JSON.parse(JSON.stringify(jobRequest(1))));
  });

  test('may count its workflow jobs in numbers, which become texts', () => {
    expect(jobRequestSchema.parse({ ...job(1), workflow_job_id: 48213377105 }).workflow_job_id).toBe('48213377105');
  });

  test('has one request id in whatever case it comes', () => {
    const id = 'C6A93ABD-2713-4D12-B76B-F6771968702F';

    expect(jobRequest(1, { request_id: id }).request_id).toBe(id.toLowerCase());
  });

  test('may have its time with an offset', () => {
    for (const submitted_at of [
      '2026-01-07T09:13:36+01:00',
      '2026-01-07T08:13:36.881123456Z',
      '2026-01-07T08:13:36-00:30',
    ]) {
      expect(jobRequest(1, { submitted_at }).submitted_at).toBe(submitted_at);
    }
  });

  test.for([
    ['without a request id', without('request_id'), 'request_id: must be a UUID'],
    ['with an id that is no UUID', { ...job(1), request_id: 'job-17' }, 'request_id: must be a UUID'],
    ['from nowhere we know', { ...job(1), source: 'gitlab' }, 'source: must be "github", "forgejo" or "manual"'],
    ['without a commit', without('commit_sha'), 'commit_sha: '],
    ['of a branch', { ...job(1), commit_sha: 'main' }, 'commit_sha: must be a commit hash'],
    ['without a repository', { ...job(1), repo_url: '' }, 'repo_url: must not be empty'],
    [
      'of a repository with a line break',
      { ...job(1), repo_url: 'https://git.example.org/a\nb' },
      'repo_url: must have no control',
    ],
    ['without a time', without('submitted_at'), 'submitted_at: must be a timestamp with Z or an offset'],
    ['with a time of no zone', { ...job(1), submitted_at: '2026-01-07T08:13:36' }, 'submitted_at: must be a timestamp'],
    ['that is a text', 'jobrequest.v1', ': Invalid input'],
  ] as const)('%s is refused with the reason', ([, value, issue]) => {
    expect(issuesOf(value)).toContainEqual(expect.stringContaining(issue));
  });

  test('is built in the queue of its runs_on, or in the default one', () => {
    expect(queueNameOf(jobRequest(1))).toBe('default');
    expect(queueNameOf(jobRequest(1, { runs_on: 'linux-aarch64' }))).toBe('linux-aarch64');
  });
});

test('of the example requests two are malformed, and the others have ids of their own', () => {
  const lines = readFileSync(new URL('../../examples/jobs.jsonl', import.meta.url), 'utf8')
    .trim()
    .split('\n');
  const read = lines.map((line) => jobRequestSchema.safeParse(JSON.parse(line)));

  expect(read.filter((one) => !one.success)).toHaveLength(2);
  expect(new Set(read.map((one) => one.data?.request_id)).size).toBe(lines.length - 1);
  expect(read.map((one) => one.data?.request_id)).not.toContain(requestId(1));
});
