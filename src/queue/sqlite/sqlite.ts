import type { Driver } from '../driver.js';
import { SqliteDriver } from './driver.js';
import { type SqliteOptions, settingsFromUrl, settingsOf } from './options.js';

/**
 * A driver on a file of this machine, which several processes may use at once and which outlives them all. Nothing
 * is opened before `open`. Throws `invalid` for unknown options, and for those that cannot be.
 */
export function sqlite(options: SqliteOptions): Driver {
  return new SqliteDriver(settingsOf(options));
}

/** As `sqlite`, of a URL: `sqlite:.signalbox/queue.db`. */
export function sqliteFromUrl(url: string): Driver {
  return new SqliteDriver(settingsFromUrl(url));
}
