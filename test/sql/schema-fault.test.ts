import { expect, test } from 'vitest';
import { tablePrefixFault } from '../../src/sql/migration.js';
import { schemaFault } from '../../src/sql/schema-fault.js';
import type { SchemaStatus } from '../../src/sql/schema-status.js';

const status = (fields: Partial<SchemaStatus>): SchemaStatus => ({
  list: 'queue',
  tablePrefix: 'signalbox_',
  applied: [{ name: '0001', appliedAt: '2026-01-01T00:00:00.000Z' }],
  pending: [],
  unknown: [],
  ...fields,
});

test('a schema with every step and no other has no fault', () => {
  expect(schemaFault(status({}))).toBeNull();
});

test('an older schema names what it lacks and the command to run', () => {
  const fault = schemaFault(status({ pending: ['0002', '0003', '0004', '0005', '0006'] }));

  expect(fault?.kind).toBe('older');
  expect(fault?.subject).toBe(
    'the schema of the queue (tables signalbox_…) is older than this release of signalbox: it lacks "0002", "0003", "0004" and 2 more',
  );
  expect(fault?.remedy).toContain('signalbox migrate --queue URL');
});

test('a schema that is not there says so', () => {
  expect(schemaFault(status({ applied: [], pending: ['0001'] }))).toMatchObject({
    kind: 'older',
    subject: 'the schema of the queue (tables signalbox_…) is not there',
  });
});

test('a newer schema asks for a newer release, whatever it lacks', () => {
  const fault = schemaFault(status({ unknown: ['0009'], pending: ['0002'] }));

  expect(fault?.kind).toBe('newer');
  expect(fault?.subject).toContain('"0009"');
  expect(fault?.remedy).toContain('release');
});

test.each(['', 'signalbox_', 'q2_', 'a'.repeat(32)])('"%s" can be in front of table names', (prefix) => {
  expect(tablePrefixFault(prefix)).toBeNull();
});

test.each(['Q_', '2q', '_q', 'q-', 'q`; drop', 'a'.repeat(33), 'é'])('"%s" cannot', (prefix) => {
  expect(tablePrefixFault(prefix)).toMatch(/lower-case/);
});
