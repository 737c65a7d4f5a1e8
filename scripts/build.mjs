import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync, statSync, utimesSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installMissing, root } from './install-missing.mjs';

const buildInfo = join(root, 'dist', '.tsbuildinfo');

/** Makes dist from src when it is missing or older; ends the process with tsc's code when that fails. */
export function buildMissing() {
  if (!existsSync(join(root, 'dist', 'index.js')) || builtAt() < changedAt()) build();
}

/** Makes dist from src, and removes from it what has no source any more. */
function build() {
  const startedAt = new Date();
  const code = tsc('tsconfig.build.json');
  // tsc writes its build info after an error too, and not at all when nothing changed: the time of
  // the last good build is set by hand.
  if (existsSync(buildInfo)) utimesSync(buildInfo, startedAt, code === 0 ? startedAt : new Date(0));
  if (code !== 0) process.exit(code);
  removeOrphans();
}

/**
 * @param {string} project
 * @returns {number} the exit code
 */
export function tsc(project) {
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const args = [compiler, '-p', join(root, project)];
  return spawnSync(process.execPath, args, { cwd: root, stdio: ['ignore', 2, 2] }).status ?? 1;
}

function builtAt() {
  return existsSync(buildInfo) ? statSync(buildInfo).mtimeMs : 0;
}

function changedAt() {
  // Folders count too: their time changes when a file in them is removed.
  const paths = ['tsconfig.json', 'tsconfig.build.json', 'package-lock.json', 'src', ...filesUnder('src')];
  return Math.max(...paths.map((path) => statSync(join(root, path)).mtimeMs));
}

function removeOrphans() {
  const sources = new Set(filesUnder('src').map((path) => relative('src', path).replace(/\.ts$/, '')));
  for (const path of filesUnder('dist')) {
    const source = relative('dist', path).replace(/(\.d\.ts|\.js)(\.map)?$/, '');
    const orphan = source !== relative('dist', path) && !sources.has(source);
    if (orphan) rmSync(join(root, path));
  }
}

/** @param {string} folder */
function filesUnder(folder) {
  return readdirSync(join(root, folder), { recursive: true }).map((path) => join(folder, String(path)));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  installMissing();
  build();
}
