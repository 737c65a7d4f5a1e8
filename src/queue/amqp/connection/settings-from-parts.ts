import { Refusal } from '../../driver.js';
import {
  type BrokerHost,
  type ConnectionSettings,
  defaultConnectDeadlineMs,
  defaultHeartbeatSeconds,
  plainPort,
  tlsPort,
} from './settings.js';
import { isShortString, maxShortStringBytes } from './short-string.js';
import { readSecret, type TlsFiles, type TlsOptions, tlsOptions } from './tls.js';

/** Connection settings one by one, as they stand in a configuration file or in environment variables. */
export interface ConnectionParts {
  /** Default: `localhost`. `name`, `name:port`, an IPv4 or a bracketed IPv6 address. */
  readonly host?: string;
  /** The nodes of a cluster, each as `host`, instead of `host`. Tried in turn. */
  readonly hosts?: readonly string[];
  /** For hosts that name none. Default 5672, with TLS 5671. */
  readonly port?: number;
  /** As it is called, nothing encoded. Default `/`. */
  readonly vhost?: string;
  /** Default `guest`. */
  readonly username?: string;
  /** Default `guest` where no user is named either, else empty. */
  readonly password?: string;
  /** Instead of `password`: a file, read at each connect; space around the password is dropped. */
  readonly passwordFile?: string;
  /** Whether to speak TLS. Default: when `tls` is given. */
  readonly ssl?: boolean;
  readonly tls?: TlsOptions & TlsFiles;
  /** Default 10; 0 switches heartbeats off, and half-open connections are then never noticed. */
  readonly heartbeatSeconds?: number;
  /** How long one host may take to connect and shake hands. Default 10 000. */
  readonly connectDeadlineMs?: number;
}

const partNames = [
  'host',
  'hosts',
  'port',
  'vhost',
  'username',
  'password',
  'passwordFile',
  'ssl',
  'tls',
  'heartbeatSeconds',
  'connectDeadlineMs',
] as const satisfies readonly (keyof ConnectionParts)[];
const tlsNames = [
  'ca',
  'cert',
  'key',
  'servername',
  'rejectUnauthorized',
  'caFile',
  'certFile',
  'keyFile',
] as const satisfies readonly (keyof (TlsOptions & TlsFiles))[];

/** Throws an `invalid` refusal that names the part, never the value of a secret one. */
export function settingsFromParts(parts: ConnectionParts): ConnectionSettings {
  refuseUnknown(parts, partNames, '');
  if (parts.tls !== undefined) demandTls(parts.tls);
  const { tls } = parts;
  const ssl = flag('ssl', parts.ssl, tls !== undefined);
  if (!ssl && tls !== undefined) throw invalid('"tls" is given, and "ssl" is false', 'leave one of them out');
  return {
    hosts: hostsOf(parts, ssl ? tlsPort : plainPort),
    vhost: vhostOf(parts.vhost),
    username: text('username', parts.username, 'guest'),
    password: passwordOf(parts),
    tls: ssl ? () => tlsOptions(tls ?? {}) : null,
    // 65535: an unsigned short in the protocol.
    heartbeatSeconds: whole('heartbeatSeconds', parts.heartbeatSeconds, defaultHeartbeatSeconds, 0, 65_535),
    connectDeadlineMs: whole('connectDeadlineMs', parts.connectDeadlineMs, defaultConnectDeadlineMs, 1, 600_000),
  };
}

function demandTls(tls: unknown): void {
  if (typeof tls !== 'object' || tls === null || Array.isArray(tls)) {
    throw invalid('"tls" is no object', `give one of ${tlsNames.join(', ')}, or leave it out`);
  }
  refuseUnknown(tls, tlsNames, 'tls.');
  for (const [name, value] of Object.entries(tls)) {
    if (name === 'rejectUnauthorized') flag('tls.rejectUnauthorized', value, true);
    // Keys and certificates may be bytes.
    else if (name.endsWith('File') || name === 'servername' || !(value instanceof Uint8Array))
      text(`tls.${name}`, value, '');
  }
}

function vhostOf(given: unknown): string {
  const vhost = text('vhost', given, '/');
  if (!isShortString(vhost)) throw invalid(`"vhost" has over ${maxShortStringBytes} bytes`, 'correct it');
  return vhost;
}

function passwordOf({ username, password, passwordFile }: ConnectionParts): () => string {
  if (passwordFile === undefined) {
    const fixed = text('password', password, username === undefined ? 'guest' : '');
    return () => fixed;
  }
  if (password !== undefined) throw invalid('"password" and "passwordFile" are both given', 'leave one of them out');
  const path = text('passwordFile', passwordFile, '');
  return () => readSecret(path, 'password file').trim();
}

function hostsOf({ host, hosts, port }: ConnectionParts, usualPort: number): readonly BrokerHost[] {
  if (host !== undefined && hosts !== undefined)
    throw invalid('"host" and "hosts" are both given', 'leave one of them out');
  const named: readonly unknown[] = hosts === undefined ? [text('host', host, 'localhost')] : hosts;
  if (!Array.isArray(named) || named.length === 0) throw invalid('"hosts" is not a list of hosts', 'name at least one');
  const defaultPort = whole('port', port, usualPort, 1, 65_535);
  return named.map((each) => hostOf(text('host', each, ''), defaultPort));
}

/** `name`, `name:port`, `[::1]:port`. */
function hostOf(address: string, defaultPort: number): BrokerHost {
  const parts = /^(?:\[([0-9a-f:.%]+)\]|([^\s:/@?#[\]]+))(?::(\d{1,5}))?$/i.exec(address);
  const host = parts?.[1] ?? parts?.[2];
  const port = parts?.[3] === undefined ? defaultPort : Number(parts[3]);
  if (host === undefined || port < 1 || port > 65_535) {
    // Not the address itself: what does not look like a host may be a piece of a password.
    throw invalid(
      'a host is not "name", "name:port" or "[IPv6]:port"',
      'correct it; in a URL, percent-encode the password',
    );
  }
  return { host, port };
}

function text(name: string, value: unknown, otherwise: string): string {
  if (value === undefined) return otherwise;
  if (typeof value !== 'string') throw invalid(`"${name}" is no text`, 'give a string');
  return value;
}

/** Not what is like true or false: out of an environment, 'false' is a text as well. */
function flag(name: string, value: unknown, otherwise: boolean): boolean {
  if (value === undefined) return otherwise;
  if (typeof value !== 'boolean') throw invalid(`"${name}" is neither true nor false`, 'give a boolean, no text');
  return value;
}

function whole(name: string, value: unknown, otherwise: number, least: number, most: number): number {
  if (value === undefined) return otherwise;
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value;
  throw invalid(`"${name}" is no whole number from ${least} to ${most}`, 'correct it');
}

function refuseUnknown(given: object, known: readonly string[], prefix: string): void {
  const unknown = Object.keys(given).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  throw invalid(`there is no connection setting "${prefix}${unknown}"`, `use ${known.join(', ')}`);
}

function invalid(subject: string, remedy: string): Refusal {
  return new Refusal('invalid', subject, remedy);
}
