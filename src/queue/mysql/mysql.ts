import type { Driver } from '../driver.js';
import { MysqlDriver } from './driver.js';
import { checkedOptions, type MysqlOptions } from './options.js';

/** A driver on a database of MySQL (8.0 or newer) or MariaDB (10.6 or newer), not yet opened. Throws `invalid` for options that are unknown or cannot be. */
export function mysql(options: MysqlOptions): Driver {
  return new MysqlDriver(checkedOptions(options));
}

/** `mysql://user:password@host:3306/database?tablePrefix=…&leaseMs=…&connections=…&createTables=…&ssl=…`, or `mariadb://…`. */
export function mysqlFromUrl(url: string): Driver {
  return mysql({ url });
}
