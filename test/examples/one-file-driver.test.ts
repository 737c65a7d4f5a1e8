import { registerConformance } from 'signalbox/conformance';
import { describe, test } from 'vitest';
import { shelfHarness } from '../../examples/one-file-driver/conformance.js';

describe('the example driver', async () => {
  await registerConformance({ test, skip: (name) => test.skip(name) }, shelfHarness());
});
