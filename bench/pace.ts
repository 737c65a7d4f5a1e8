/** Calls `call` `perSecond` times a second for so long, whatever each takes, and resolves when all have resolved. */
export async function paced(perSecond: number, seconds: number, call: (i: number) => Promise<unknown>): Promise<void> {
  const calls: Promise<unknown>[] = [];
  const startedAt = performance.now();
  for (let i = 0; i < perSecond * seconds; i++) {
    const aheadMs = startedAt + (i * 1_000) / perSecond - performance.now();
    if (aheadMs > 0) await new Promise((resolve) => setTimeout(resolve, aheadMs));
    calls.push(call(i));
  }
  await Promise.all(calls);
}

/** Keeps `atOnce` calls under way for so long; answers how many things a second they did, each `perCall`. */
export async function rateOf(
  seconds: number,
  atOnce: number,
  call: () => Promise<unknown>,
  perCall = 1,
): Promise<number> {
  const startedAt = performance.now();
  const endAt = startedAt + seconds * 1_000;
  let done = 0;
  const one = async (): Promise<void> => {
    while (performance.now() < endAt) {
      await call();
      done += perCall;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, one));
  return (done * 1_000) / (performance.now() - startedAt);
}

/** Milliseconds on the clock that all processes of a machine share. */
export const monotonicMs = (): number => Number(process.hrtime.bigint()) / 1e6;
