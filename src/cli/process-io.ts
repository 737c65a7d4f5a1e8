import { driverOf } from '../open-queue.js';
import { systemClock } from '../queue/index.js';
import { exitCodes } from './exit-codes.js';
import type { CliIo, StopSignal } from './io.js';

const stopSignals: readonly StopSignal[] = ['SIGINT', 'SIGTERM'];

/** This process's own streams, environment, signals and clock. */
export function processIo(): CliIo {
  const readerGone = new AbortController();
  heedFailures(process.stdout, process.stderr, () => readerGone.abort());
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

/** Without a listener, what cannot be written would end the process with a stack, in the middle of its work. */
function heedFailures(stdout: NodeJS.WriteStream, stderr: NodeJS.WriteStream, onGone: () => void): void {
  // There is no other place to say it.
  stderr.on('error', () => {});
  let isTold = false;
  stdout.on('error', ({ code, message }: NodeJS.ErrnoException) => {
    onGone();
    // A reader that went away (`| head`) is no error of ours.
    if (code === 'EPIPE' || isTold) return;
    isTold = true;
    stderr.write(`signalbox: cannot write to stdout: ${message}; see where it leads to\n`);
    process.once('exit', () => {
      process.exitCode ||= exitCodes.failed;
    });
  });
}
