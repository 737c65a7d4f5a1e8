import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Collects at once what nobody has any more, and lets what was waiting for that happen. Stops the process for some 10 ms, in a large one for longer. */
export async function collectGarbage(): Promise<void> {
  // V8 shows it to contexts that are made while the flag is set; ours has none.
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  setFlagsFromString('--no-expose-gc');
  collect();
  // Node lets go of native objects in a turn of their own.
  await new Promise((resolve) => setImmediate(resolve));
}
