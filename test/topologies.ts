// Topics as drivers are told to declare them.
/** A topic without order, of one group. */
export const plain = {
  name: 'jobs',
  ordering: 'none',
  lanes: 1,
  groups: [{ name: 'default', patterns: ['#'] }],
  maxRedeliveries: 20,
  expectedDelaysMs: [],
} as const;

export const ordered = {
  ...plain,
  name: 'keyed',
  ordering: 'key',
  lanes: 4,
  maxRedeliveries: 7,
  expectedDelaysMs: [1_000],
} as const;
