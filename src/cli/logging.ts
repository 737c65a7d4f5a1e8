import { pino } from 'pino';
import { type Logger, silentLogger } from '../queue/index.js';
import type { Config } from './config/config.js';
import { type LogLevel, settings } from './config/settings.js';
import type { CommonFlags } from './flags.js';
import type { CliIo } from './io.js';
import { logLineText } from './log-line.js';

/** A log on stderr as it is configured: JSON lines for programs, plain ones for whoever watches. */
export function logTo(io: CliIo, config: Config): Logger {
  return logFrom(io, config.get(settings.logLevel), config.get(settings.logJson) ?? io.stderr.isTTY !== true);
}

export function logFrom(io: CliIo, level: LogLevel, json: boolean): Logger {
  return pino(
    { level, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    { write: (line) => void io.stderr.write(json ? line : logLineText(line)) },
  );
}

/** For commands whose output is their result: they log only with `--verbose`. */
export function loggerOf(io: CliIo, flags: CommonFlags, config: Config): Logger {
  return flags.verbose ? logTo(io, config) : silentLogger;
}
