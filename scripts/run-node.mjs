import { spawn } from 'node:child_process';
import { root } from './install-missing.mjs';

/**
 * Runs a program in a Node of its own on our terminal and ends with its exit code.
 * @param {readonly string[]} args
 */
export function runNode(args) {
  const child = spawn(process.execPath, args, { cwd: root, stdio: 'inherit' });
  // A terminal sends Ctrl-C to both of us: the child decides when to end, we pass on its answer.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? (signal === 'SIGINT' ? 130 : 1);
  });
}
