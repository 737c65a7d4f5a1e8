/** What one cell of a benchmark took. */
export interface Measured {
  readonly perSecond: number;
  /** Processor time of this process, user and system. */
  readonly cpuMicrosPerMessage: number;
}

/** Runs `work`, which handles `count` messages, and says what each cost. */
export async function measure(count: number, work: () => Promise<void>): Promise<Measured> {
  collectGarbage();
  const cpuBefore = process.cpuUsage();
  const before = performance.now();
  await work();
  const seconds = (performance.now() - before) / 1_000;
  const { user, system } = process.cpuUsage(cpuBefore);
  return { perSecond: count / seconds, cpuMicrosPerMessage: (user + system) / count };
}

/** Only with `--expose-gc`, which `npm run bench` gives: figures of the heap mean nothing otherwise. */
export function collectGarbage(): void {
  if (globalThis.gc === undefined) throw new Error('run with node --expose-gc, as npm run bench does');
  globalThis.gc();
}

export function heapMegabytes(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed / 1024 / 1024;
}
