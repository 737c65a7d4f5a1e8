import type { ServerName } from './server-name.js';

/** A server that tests may use. */
export interface Server {
  readonly name: ServerName;
  /** As the server says it: `MariaDB 10.11.14`, `RabbitMQ 4.3.6`. */
  readonly version: string;
  /** With user and password, without a database; for RabbitMQ, the default vhost. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** Ending and starting it. Null when others use it too, or when it was given by URL. */
  readonly control: ServerControl | null;
  /** RabbitMQ's own tool on this server; answers what it printed. Null where it cannot be run. */
  readonly rabbitmqctl: ((...args: string[]) => Promise<string>) | null;
  /** A new database or vhost, empty, which nobody else uses; its URL. Given RabbitMQ servers answer their own URL: no vhost can be made over AMQP. */
  freshUrl(): Promise<string>;
  /** Ends it and removes its files; nothing happens to servers that are not ours alone. May be called twice. */
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface ServerControl {
  /** Process id now, null while it does not run or when it is no process of this machine. */
  readonly pid: number | null;
  /** `kill -9`; resolves when the process is gone. */
  kill9(): Promise<void>;
  /** An orderly end (SIGTERM); resolves when the process is gone. */
  terminate(): Promise<void>;
  /** Starts it again on its port and what it had stored; resolves at its first handshake. */
  start(): Promise<void>;
  /** `kill9`, then `start`. */
  restart(): Promise<void>;
}

export interface StartOptions {
  /** MySQL and MariaDB: flags without their dashes, `{ 'max-connections': '20' }`. RabbitMQ: lines of rabbitmq.conf. */
  readonly settings?: Readonly<Record<string, string>> | undefined;
  /** RabbitMQ: the text of advanced.config. */
  readonly advancedConfig?: string | undefined;
}
