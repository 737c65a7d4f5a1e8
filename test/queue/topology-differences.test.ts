import { type GroupTopology, type TopicTopology, topologyDifferences } from 'signalbox/driver';
import { describe, expect, test } from 'vitest';

const group = (name: string, ...patterns: string[]): GroupTopology => ({ name, patterns });
const topic = (name: string, sketch: Partial<TopicTopology> = {}): TopicTopology => ({
  name,
  ordering: 'none',
  lanes: 1,
  groups: [group('default', '#')],
  maxRedeliveries: 20,
  expectedDelaysMs: [],
  ...sketch,
});
const differences = (
  there: readonly TopicTopology[],
  asked: TopicTopology,
  options: { mode?: 'assert' | 'check'; change?: boolean } = {},
) => topologyDifferences(there, { topics: [asked] }, { mode: 'assert', change: false, ...options });

describe('what declare would create and change', () => {
  test('names what does not exist', () => {
    const asked = topic('jobs', { groups: [group('default', '#'), group('audit', 'a.*')] });

    expect(differences([], asked).created).toEqual([
      'topic "jobs"',
      'group "default" of topic "jobs"',
      'group "audit" of topic "jobs"',
    ]);
    expect(differences([topic('jobs')], asked)).toEqual({ created: ['group "audit" of topic "jobs"'], changed: [] });
  });

  test('takes patterns as a set, and leaves groups that are not named alone', () => {
    const there = topic('jobs', { groups: [group('default', 'a', 'b'), group('other', '#')] });

    expect(differences([there], topic('jobs', { groups: [group('default', 'b', 'a', 'b')] }))).toEqual({
      created: [],
      changed: [],
    });
  });

  test('refuses other patterns, unless the change is asked for and the mode is not to look only', () => {
    const asked = topic('jobs', { groups: [group('default', 'a')] });
    const refusal = expect.objectContaining({
      code: 'topology-mismatch',
      message: 'group "default" of topic "jobs" exists with patterns ["#"], asked for ["a"]',
    });

    expect(() => differences([topic('jobs')], asked)).toThrow(refusal);
    expect(() => differences([topic('jobs')], asked, { mode: 'check', change: true })).toThrow(refusal);
    expect(differences([topic('jobs')], asked, { change: true }).changed).toEqual(['group "default" of topic "jobs"']);
  });

  test('refuses another ordering and other lanes, also when changes are asked for', () => {
    for (const sketch of [{ ordering: 'key' }, { lanes: 2 }] as const)
      expect(() => differences([topic('jobs')], topic('jobs', sketch), { change: true })).toThrow(
        expect.objectContaining({ code: 'topology-mismatch' }),
      );
  });

  test('looking only, rejects what is missing and names it', () => {
    expect(() => differences([], topic('jobs'), { mode: 'check' })).toThrow(
      expect.objectContaining({
        code: 'not-found',
        message: 'there is no topic "jobs", no group "default" of topic "jobs"',
      }),
    );
  });
});
