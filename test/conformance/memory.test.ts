import { registerConformance } from 'signalbox/conformance';
import { describe, test } from 'vitest';
import { memoryHarness } from './memory-harness.js';

const api = { test, skip: (name: string) => test.skip(name) };

describe('memory', async () => {
  await registerConformance(api, memoryHarness());
});
