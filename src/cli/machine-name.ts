import { readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/**
 * Whose process numbers are meant: the host, and on Linux the namespace of its process numbers, since containers of one host name
 * cannot see each other's processes.
 */
export function machineName(): string {
  try {
    const namespace = /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? '';
    return `${hostname().slice(0, 28)}.${namespace}`;
  } catch {
    return hostname();
  }
}
