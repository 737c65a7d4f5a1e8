import { describe, expect, test } from 'vitest';
import {
  BuildUnknownError,
  buildId,
  buildIdSchema,
  buildStatuses,
  isTerminal,
  RunnerUnavailableError,
} from '../../src/buildrunner/index.js';

describe('a build id', () => {
  test('is its own queue payload', () => {
    const id = buildId('b-17');

    expect(JSON.stringify(id)).toBe('{"id":"b-17"}');
    expect(buildIdSchema.parse(JSON.parse(JSON.stringify(id)))).toEqual(id);
  });

  test('has up to 255 bytes, not characters', () => {
    expect(buildId('é'.repeat(127)).id).toHaveLength(127);
    expect(() => buildId('é'.repeat(128))).toThrow(/it has 256 bytes, at most 255 fit; shorten it/);
  });

  test.each([
    ['', /is empty; pass the name/],
    ['a\nb', /control characters or broken Unicode; encode it/],
    ['a\u007fb', /control characters/],
    ['a\u0085b', /control characters/],
    ['\ud800', /broken Unicode/],
    [17 as unknown as string, /no string but number/],
    [undefined as unknown as string, /no string but undefined/],
  ])('is not made of %j', (id, message) => {
    expect(() => buildId(id)).toThrow(TypeError);
    expect(() => buildId(id)).toThrow(message);
    expect(buildIdSchema.safeParse({ id }).success).toBe(false);
  });

  test('payloads of later versions are read without what they added', () => {
    expect(buildIdSchema.parse({ id: 'b-17', region: 'north' })).toEqual({ id: 'b-17' });
  });
});

test('the last three statuses are terminal', () => {
  expect(buildStatuses.filter(isTerminal)).toEqual(['succeeded', 'failed', 'cancelled']);
});

describe('error messages name the operation, the subject and the remedy', () => {
  test('BuildUnknownError', () => {
    const error = new BuildUnknownError('status', buildId('b-17'));

    expect(error.message).toMatch(/^cannot ask the status of build "b-17": the runner does not know it; check that/);
    expect(error).toMatchObject({ name: 'BuildUnknownError', code: 'build-unknown', buildId: { id: 'b-17' } });
  });

  test('RunnerUnavailableError, with its cause', () => {
    const cause = new Error('connect ECONNREFUSED');
    const error = new RunnerUnavailableError('trigger', 'a build', 'connection refused', { cause });

    expect(error.message).toBe(
      'cannot trigger a build: the runner is unavailable (connection refused); ' +
        'retry with the same idempotency key, which starts nothing twice, and check the runner if this goes on',
    );
    expect(error).toMatchObject({ code: 'runner-unavailable', operation: 'trigger', cause });
  });
});
