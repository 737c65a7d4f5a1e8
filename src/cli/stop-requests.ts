import { exitCodes } from './exit-codes.js';
import type { CliIo, StopSignal } from './io.js';

/** How a long-running command is asked to end. */
export interface StopRequests {
  /** Aborted by the first request; its reason is the signal's name. */
  readonly signal: AbortSignal;
  /** The first request, or null. */
  received(): StopSignal | null;
  /** Stops listening: from then on a signal ends the process as it does any other. */
  release(): void;
}

/** The first signal asks, the second one forces: whoever sends it has waited long enough. */
export function listenForStop(io: CliIo): StopRequests {
  const controller = new AbortController();
  let received: StopSignal | null = null;
  const release = io.onSignal((signal) => {
    if (received !== null) {
      io.stderr.write(`signalbox: ${signal} again: ending at once; what is in hand comes again\n`);
      io.forceExit(exitCodes.failed);
      return;
    }
    received = signal;
    controller.abort(signal);
  });
  return { signal: controller.signal, received: () => received, release };
}
