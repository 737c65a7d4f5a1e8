import { defineTopic, isTopic } from 'signalbox';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { topologyOf } from '../../src/queue/topic.js';

const schema = z.string();

describe('a topic', () => {
  it('has the defaults of the contract', () => {
    expect(defineTopic('jobs', { schema })).toEqual({
      name: 'jobs',
      schema,
      groups: { default: { patterns: ['#'] } },
      ordering: 'none',
      lanes: 1,
      maxAttempts: 5,
      maxRedeliveries: 20,
      backoff: { initialMs: 1_000, factor: 2, maxMs: 60_000, jitter: 0.2 },
      unmatched: 'reject',
      maxBodyBytes: 1_048_576,
      idempotencyWindowMs: 86_400_000,
      deadLetters: { notice: null, expireAfterMs: null },
    });
    expect(defineTopic('jobs', { schema, ordering: 'key' }).lanes).toBe(8);
    expect(defineTopic('jobs', { schema, backoff: { maxMs: 5_000 } }).backoff).toEqual({
      initialMs: 1_000,
      factor: 2,
      maxMs: 5_000,
      jitter: 0.2,
    });
    expect(defineTopic('jobs', { schema, groups: { a: {}, b: { patterns: ['x.*'] } } }).groups).toEqual({
      a: { patterns: ['#'] },
      b: { patterns: ['x.*'] },
    });
  });

  it('takes names for groups that objects bring along, and groups without a prototype', () => {
    const names = ['constructor', 'toString', 'hasOwnProperty', 'valueOf'];
    const groups = Object.assign(Object.create(null), Object.fromEntries(names.map((name) => [name, {}])));

    expect(topologyOf(defineTopic('jobs', { schema, groups })).groups).toEqual(
      names.map((name) => ({ name, patterns: ['#'] })),
    );
  });

  it('keeps its schema as it is, whatever kind of value that is', () => {
    const callable = Object.assign(() => {}, { '~standard': schema['~standard'] });

    expect(defineTopic('jobs', { schema: callable }).schema).toBe(callable);
  });

  it('does not change when its options do, and cannot be changed', () => {
    const patterns = ['a.*'];
    const topic = defineTopic('jobs', { schema, groups: { default: { patterns } } });

    patterns.push('b.*');

    expect(topic.groups).toEqual({ default: { patterns: ['a.*'] } });
    expect(() => Object.assign(topic, { name: 'other' })).toThrow(TypeError);
    expect(() => Object.assign(topic.groups, { other: { patterns: ['#'] } })).toThrow(TypeError);
    for (const group of Object.values(topic.groups))
      expect(() => (group.patterns as string[]).push('b.*')).toThrow(TypeError);
    expect(() => Object.assign(topic.backoff, { maxMs: 0 })).toThrow(TypeError);
  });

  it('is known by identity: what only looks like one is none', () => {
    const topic = defineTopic('jobs', { schema });

    expect([topic, { ...topic }, 'jobs', null, undefined].map(isTopic)).toEqual([true, false, false, false, false]);
  });
});

describe('what a driver is told of a topic', () => {
  it('is its shape, and the delays that its failures lead to', () => {
    const topic = defineTopic('jobs', {
      schema,
      ordering: 'key',
      maxAttempts: 9,
      groups: { a: { patterns: ['x', 'y'] } },
    });

    expect(topologyOf(topic)).toEqual({
      name: 'jobs',
      ordering: 'key',
      lanes: 8,
      groups: [{ name: 'a', patterns: ['x', 'y'] }],
      maxRedeliveries: 20,
      expectedDelaysMs: [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000],
    });
  });

  it('has no delay where nothing is tried again, and few where it is tried for ever', () => {
    const attempts = (maxAttempts: number, factor = 2) =>
      topologyOf(defineTopic('jobs', { schema, maxAttempts, backoff: { factor } })).expectedDelaysMs;

    expect(attempts(1)).toEqual([]);
    expect(attempts(2, 1)).toEqual([1_000]);
    expect(attempts(Number.POSITIVE_INFINITY, 1)).toEqual([1_000]);
    expect(attempts(Number.POSITIVE_INFINITY)).toHaveLength(7);
    expect(attempts(Number.POSITIVE_INFINITY, 1.001).length).toBeLessThanOrEqual(64);
  });
});
