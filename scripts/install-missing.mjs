import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The package's folder: scripts work from any current directory. */
export const root = fileURLToPath(new URL('..', import.meta.url));

/**
 * Runs `npm ci` unless node_modules already holds what package-lock.json asks for; ends the process
 * with npm's code when that fails. Compares versions, not file times: a checkout touches
 * package-lock.json without changing it, and npm ci would then remove node_modules under whoever uses it.
 */
export function installMissing() {
  requireNode();
  if (installed()) return;
  console.error('signalbox: installing the libraries of package-lock.json (npm ci)');
  const [command, ...args] = npm('ci', '--include=dev', '--no-audit', '--no-fund');
  // On stderr, so that a program that reads our standard output gets only what it asked for.
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  });
  if (status === 0) return;
  console.error(`signalbox: npm ci failed${error ? `: ${error.message}` : ''}`);
  process.exit(status ?? 1);
}

/**
 * The command line of npm: the one that runs us if there is one, else the one on the path.
 * @param {...string} args
 * @returns {[string, ...string[]]}
 */
export function npm(...args) {
  const cli = process.env.npm_execpath;
  return cli?.endsWith('npm-cli.js') ? [process.execPath, cli, ...args] : ['npm', ...args];
}

function installed() {
  // npm writes this file at the end of an install, so half an install does not count.
  const present = packages(join(root, 'node_modules', '.package-lock.json'));
  const wanted = packages(join(root, 'package-lock.json'));
  return Object.entries(wanted).every(
    // Optional packages (binaries of other platforms) may rightly be absent.
    ([path, { version, optional }]) => path === '' || optional || present[path]?.version === version,
  );
}

/**
 * @param {string} file
 * @returns {Record<string, { version?: string, optional?: boolean }>}
 */
function packages(file) {
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).packages : {};
}

function requireNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  console.error(`signalbox needs Node 20.19 or newer; this is ${process.version}. Install it from https://nodejs.org`);
  process.exit(1);
}
