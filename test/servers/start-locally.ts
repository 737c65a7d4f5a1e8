import type { RabbitProgram } from './local-programs.js';
import { type RabbitStart, startRabbitServer } from './rabbit-server.js';
import type { ServerControl } from './server.js';
import { makeServerFolder, removeFolder } from './server-folder.js';
import type { ServerName } from './server-name.js';
import type { SqlProgram } from './sql-program.js';
import { startSqlServer } from './sql-server.js';
import type { StartedLocally } from './started-locally.js';
import type { StartedServer } from './started-server.js';

/** How often a server is started again because somebody took its port first. */
const portAttempts = 4;

/** Starts a program of this machine in a folder of its own, which goes when the server is stopped. */
export async function startLocally(
  name: ServerName,
  program: SqlProgram | RabbitProgram,
  options: RabbitStart,
): Promise<StartedServer & { readonly control: ServerControl }> {
  const folder = makeServerFolder();
  try {
    const started = await startOnFreePort(() =>
      program.family === 'rabbitmq'
        ? startRabbitServer(program, folder, options)
        : startSqlServer(program, folder, options),
    );
    const { url, port, version, control, rabbitNode } = started;
    return {
      facts: { name, version, url, host: '127.0.0.1', port, node: rabbitNode, containerId: null },
      control,
      stop: async () => {
        await endAll(started);
        removeFolder(folder);
      },
    };
  } catch (error) {
    removeFolder(folder);
    throw error;
  }
}

async function startOnFreePort(start: () => Promise<StartedLocally>): Promise<StartedLocally> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await start();
    } catch (error) {
      if (attempt === portAttempts || !/already in use|eaddrinuse/i.test(String(error))) throw error;
    }
  }
}

async function endAll({ control, helpers }: StartedLocally): Promise<void> {
  await control.kill9();
  await Promise.all(helpers.map((helper) => helper.end('SIGKILL')));
}
