import { readFileSync } from 'node:fs';
import { Refusal } from '../../driver.js';

/** What Node's TLS takes of it. */
export interface TlsOptions {
  readonly ca?: string | Buffer;
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
  /** The name that the certificate must bear, where it is not the host's. */
  readonly servername?: string;
  readonly rejectUnauthorized?: boolean;
}

/** The same as files, which are read again at each connect. */
export interface TlsFiles {
  readonly caFile?: string;
  readonly certFile?: string;
  readonly keyFile?: string;
}

/** Both together; a file goes before a value. */
export function tlsOptions({ caFile, certFile, keyFile, ...given }: TlsOptions & TlsFiles): TlsOptions {
  return {
    ...given,
    ...(caFile === undefined ? {} : { ca: readSecret(caFile, 'CA file') }),
    ...(certFile === undefined ? {} : { cert: readSecret(certFile, 'certificate file') }),
    ...(keyFile === undefined ? {} : { key: readSecret(keyFile, 'key file') }),
  };
}

/** The content of a file that a setting names; a refusal with the file's name when it cannot be read. */
export function readSecret(path: string, what: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
    throw new Refusal('invalid', `the ${what} "${path}" cannot be read (${reason})`, 'mount it, or correct its name');
  }
}
