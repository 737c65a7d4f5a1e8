import { driverOf } from '../open-queue.js';
import { systemClock } from '../queue/index.js';
import type { CliIo, StopSignal } from './io.js';

const stopSignals: readonly StopSignal[] = ['SIGINT', 'SIGTERM'];

/** This process's own streams, environment, signals and clock. */
export function processIo(): CliIo {
  const readerGone = new AbortController();
  toleratingNoReader(process.stdout, () => readerGone.abort());
  toleratingNoReader(process.stderr, () => {});
  return {
    stdout: process.stdout,
    readerGone: readerGone.signal,
    stderr: process.stderr,
    env: process.env,
    folder: process.cwd(),
    clock: systemClock,
    connect: driverOf,
    onSignal(listener) {
      for (const signal of stopSignals) process.on(signal, listener);
      return () => {
        for (const signal of stopSignals) process.off(signal, listener);
      };
    },
    forceExit: (code) => process.exit(code),
  };
}

/** A reader that went away (`| head`) is no error of ours: without a listener it would end the process with a stack. */
function toleratingNoReader(stream: NodeJS.WriteStream, onGone: () => void): void {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    onGone();
  });
}
