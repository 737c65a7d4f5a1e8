/**
 * Where the library tells what it does. Two methods, so that pino, winston or `console` adapters fit;
 * `pino()` itself can be given as it is. Fields never hold bodies or passwords.
 */
export interface Logger {
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
}

/** Says nothing: the default, because a library does not write to its user's terminal. */
export const silentLogger: Logger = { info() {}, warn() {} };

/** A logger that throws (a full disk) must not be what keeps a message from being settled: its errors are dropped. */
export function harmless(logger: Logger): Logger {
  return {
    info: (fields, message) => attempt(() => logger.info(fields, message)),
    warn: (fields, message) => attempt(() => logger.warn(fields, message)),
  };
}

function attempt(log: () => void): void {
  try {
    log();
  } catch {
    // There is nobody left to tell.
  }
}
