import { registerConformance } from 'signalbox/conformance';
import { describe, test } from 'vitest';
import { sqliteHarness } from './sqlite-harness.js';

const api = { test, skip: (name: string) => test.skip(name) };

describe('sqlite', async () => {
  await registerConformance(api, sqliteHarness());
});
