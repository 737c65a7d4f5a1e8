// npm run check: everything but the tests. Runs every step, a line for each, and shows what the failed ones said.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { installMissing, npm, root } from './install-missing.mjs';

installMissing();
const packed = mkdtempSync(join(tmpdir(), 'signalbox-check-'));

/** @type {readonly [name: string, run: () => readonly string[]][]} */
const steps = [
  ['lint', () => tool('@biomejs/biome', 'biome', 'lint', '--error-on-warnings', '.')],
  ['format', () => tool('@biomejs/biome', 'biome', 'check', '--linter-enabled=false', '.')],
  ['build', () => [process.execPath, 'scripts/build.mjs']],
  // After the build: end-to-end tests import what it makes.
  ['types', () => tool('typescript', 'tsc', '-p', 'tsconfig.json')],
  ['unused code', () => tool('knip', 'knip')],
  ['pack', () => npm('pack', '--ignore-scripts', '--pack-destination', packed)],
  ['publint', () => tool('publint', 'publint', 'run', tarball(), '--strict')],
  ['types of the package', () => tool('@arethetypeswrong/cli', 'attw', tarball(), '--profile', 'esm-only')],
];

const failed = steps.filter((step) => !passes(...step)).map(([name]) => name);
rmSync(packed, { recursive: true, force: true });
if (failed.length > 0) {
  console.error(`\ncheck failed: ${failed.join(', ')}`);
  process.exitCode = 1;
}

/**
 * @param {string} name
 * @param {() => readonly string[]} step
 */
function passes(name, step) {
  const startedAt = performance.now();
  const { ok, output } = run(step);
  console.log(`${ok ? 'ok    ' : 'FAILED'} ${name} (${((performance.now() - startedAt) / 1000).toFixed(1)} s)`);
  if (!ok) console.log(output.replace(/^(?=.)/gm, '       '));
  return ok;
}

/** @param {() => readonly string[]} step */
function run(step) {
  try {
    const [command = '', ...args] = step();
    const { status, stdout, stderr, error } = spawnSync(command, args, {
      cwd: root,
      encoding: 'utf8',
      maxBuffer: 2 ** 26,
      shell: command === 'npm' && process.platform === 'win32',
    });
    return { ok: status === 0, output: error ? error.message : `${stdout}${stderr}`.trimEnd() };
  } catch (error) {
    return { ok: false, output: String(error) };
  }
}

/**
 * The command line of a tool we installed, without npx and without a shell.
 * @param {string} name of the package
 * @param {string} bin
 * @param {...string} args
 */
function tool(name, bin, ...args) {
  const manifest = join(root, 'node_modules', name, 'package.json');
  if (!existsSync(manifest)) throw new Error(`${name} is not installed; run "npm ci"`);
  const bins = JSON.parse(readFileSync(manifest, 'utf8')).bin;
  return [process.execPath, join(dirname(manifest), typeof bins === 'string' ? bins : bins[bin]), ...args];
}

function tarball() {
  const file = readdirSync(packed).find((name) => name.endsWith('.tgz'));
  if (!file) throw new Error('there is no packed package; see the step "pack"');
  return join(packed, file);
}
