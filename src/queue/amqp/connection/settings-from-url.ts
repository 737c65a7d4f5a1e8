import { Refusal } from '../../driver.js';
import type { ConnectionSettings } from './settings.js';
import { type ConnectionParts, settingsFromParts } from './settings-from-parts.js';

/** What a URL says: how to connect, and what is for others to read. */
export interface UrlSettings {
  readonly settings: ConnectionSettings;
  /** The options that the caller had named as its own, decoded. */
  readonly ownOptions: ReadonlyMap<string, string>;
}

type Part = { -readonly [name in keyof ConnectionParts]: ConnectionParts[name] };
type TlsPart = { -readonly [name in keyof NonNullable<Part['tls']>]: NonNullable<Part['tls']>[name] };

/** RabbitMQ's own names (its manual, "URI query parameters"), as far as they mean something here. */
const urlOptions: Readonly<Record<string, (value: string, parts: Part, tls: TlsPart) => void>> = {
  heartbeat: (value, parts) => {
    parts.heartbeatSeconds = Number(value || 'none');
  },
  connection_timeout: (value, parts) => {
    parts.connectDeadlineMs = Number(value || 'none');
  },
  cacertfile: (value, _, tls) => {
    tls.caFile = value;
  },
  certfile: (value, _, tls) => {
    tls.certFile = value;
  },
  keyfile: (value, _, tls) => {
    tls.keyFile = value;
  },
  server_name_indication: (value, _, tls) => {
    tls.servername = value;
  },
  verify: (value, _, tls) => {
    if (value !== 'verify_peer' && value !== 'verify_none') {
      throw invalid('the URL option "verify" is neither "verify_peer" nor "verify_none"', 'correct it');
    }
    tls.rejectUnauthorized = value === 'verify_peer';
  },
};

/**
 * `amqp[s]://user:password@host[:port][,host[:port]…]/vhost?heartbeat=10…`, everything percent-encoded where it must be.
 * No path, or an empty one, is the vhost `/`. Options that neither RabbitMQ's manual nor the caller knows are
 * refused, and no refusal shows the URL.
 */
export function settingsFromUrl(url: string, ownNames: readonly string[] = []): UrlSettings {
  // Not `new URL`: it takes no list of hosts. No "@" in the options: a "?" in the password would make the rest of it one.
  const [, scheme, user, hosts, vhost, query] =
    /^(amqps?):\/\/(?:([^/?#]*)@)?([^@/?#]+)(?:\/([^/?#]*))?(?:\?([^@#]*))?$/i.exec(url) ?? [];
  if (scheme === undefined || hosts === undefined) {
    throw invalid(
      'the URL is not "amqp[s]://user:password@host:port/vhost?options"',
      'percent-encode what is special in user, password and vhost ("/" is %2F)',
    );
  }
  const parts: Part = { ssl: scheme.toLowerCase() === 'amqps', hosts: hosts.split(',') };
  const [, username, password] = /^([^:]*)(?::(.*))?$/.exec(user ?? '') ?? [];
  if (username) parts.username = decode(username, 'user name');
  if (password !== undefined) parts.password = decode(password, 'password');
  if (vhost) parts.vhost = decode(vhost, 'vhost');
  const ownOptions = readOptions(query, parts, ownNames);
  return { settings: settingsFromParts(parts), ownOptions };
}

function readOptions(query: string | undefined, parts: Part, ownNames: readonly string[]): ReadonlyMap<string, string> {
  const tls: TlsPart = {};
  const ownOptions = new Map<string, string>();
  const seen = new Set<string>();
  for (const [name, value] of new URLSearchParams(query)) {
    if (seen.has(name)) throw invalid(`the URL option "${name}" is there twice`, 'leave one of them out');
    seen.add(name);
    const read = Object.hasOwn(urlOptions, name) ? urlOptions[name] : undefined;
    if (read !== undefined) read(value, parts, tls);
    else if (ownNames.includes(name)) ownOptions.set(name, value);
    else
      throw invalid(`there is no URL option "${name}"`, `use ${[...Object.keys(urlOptions), ...ownNames].join(', ')}`);
  }
  if (Object.keys(tls).length > 0) {
    if (!parts.ssl) throw invalid('the URL has TLS options, and its scheme is "amqp"', 'use "amqps"');
    parts.tls = tls;
  }
  return ownOptions;
}

function decode(encoded: string, what: string): string {
  try {
    return decodeURIComponent(encoded);
  } catch {
    throw invalid(`the URL's ${what} is not percent-encoded correctly`, 'write "%" as %25');
  }
}

function invalid(subject: string, remedy: string): Refusal {
  return new Refusal('invalid', subject, remedy);
}
