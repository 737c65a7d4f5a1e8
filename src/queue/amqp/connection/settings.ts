import type { TlsOptions } from './tls.js';

/** Where the broker is and who we are, complete. Can be logged and printed as it is: secrets are behind functions. */
export interface ConnectionSettings {
  /** Tried in turn, from the one that worked last. At least one. */
  readonly hosts: readonly BrokerHost[];
  readonly vhost: string;
  readonly username: string;
  /** Called at each connect, so that a password file may change while we run. Throws a refusal when it cannot be read. */
  readonly password: () => string;
  /** Called at each connect, as certificates get renewed; null: no TLS. */
  readonly tls: (() => TlsOptions) | null;
  /** Half-open connections are noticed after two to three times this; 0 switches it off. */
  readonly heartbeatSeconds: number;
  /** How long one host may take to connect and shake hands. */
  readonly connectDeadlineMs: number;
}

export interface BrokerHost {
  readonly host: string;
  readonly port: number;
}

/**
 * RabbitMQ's manual finds 5 to 20 s good, and less than 5 s prone to false alarms; at 10 s a black hole is found
 * after 20 to 30 s, while a process that is busy for a few seconds keeps its connection.
 */
export const defaultHeartbeatSeconds = 10;

/** As long as RabbitMQ itself waits for a handshake. */
export const defaultConnectDeadlineMs = 10_000;

export const plainPort = 5672;
export const tlsPort = 5671;

/** `amqp://broker:5672,other:5672/vhost`: for logs and errors, without who we are. */
export function describe(settings: ConnectionSettings): string {
  const scheme = settings.tls === null ? 'amqp' : 'amqps';
  return `${scheme}://${settings.hosts.map(describeHost).join(',')}/${encodeURIComponent(settings.vhost)}`;
}

export function describeHost({ host, port }: BrokerHost): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
