import { join } from 'node:path';
import { OpenDesk } from './desk.js';
import { serveDesk } from './desk-socket.js';
import { makeServerFolder, removeFolder } from './server-folder.js';
import { deskVariable } from './the-desk.js';

/** Before all tests of a run. Starts no server: the first test that asks for one does. After them, ends the servers and prints their versions. */
export async function setup(): Promise<() => Promise<void>> {
  const folder = makeServerFolder();
  const desk = new OpenDesk(process.env);
  const path = join(folder, 'socket');
  const socket = await serveDesk(desk, path);
  process.env[deskVariable] = path;
  return async () => {
    socket.close();
    await desk.close();
    removeFolder(folder);
    const lines = await desk.report();
    if (lines.length > 0) console.log(`\nservers of this run:\n${lines.map((line) => `  ${line}`).join('\n')}`);
  };
}
