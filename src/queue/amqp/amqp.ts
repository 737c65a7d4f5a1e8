import type { Driver } from '../driver.js';
import { AmqpDriver } from './driver.js';
import { type AmqpOptions, settingsOf } from './options.js';

/**
 * A driver for RabbitMQ, from a URL or from options; not yet open. Throws `invalid` for what cannot be, and for
 * options that there are not.
 */
export function amqp(from: string | AmqpOptions): Driver {
  return new AmqpDriver(settingsOf(from));
}
