import { afterAll, beforeAll, describe, test } from 'vitest';
import type { Server, StartOptions } from './server.js';
import { familyOf, type ServerFamily, type ServerName, wantedServers } from './server-name.js';
import { sharedServer, startServer } from './start-server.js';
import { theDesk } from './the-desk.js';

/** Installing, or fetching an image, happens before; this is for starting alone, on a busy machine. */
const startDeadlineMs = 150_000;

/**
 * `describe` for every server under test of these families, on the server that all tests share. Where one cannot be had,
 * a skipped test says so and why. Call it with `await`, at the top of a test file; `server` may be called in hooks and tests.
 */
export async function describeServers(
  families: readonly ServerFamily[],
  tests: (name: ServerName, server: () => Server) => void,
): Promise<void> {
  await eachServer(families, false, sharedServer, tests);
}

/** The same on a server of this file alone, which it may end and start. Not run on servers that were given by URL. */
export async function describeOwnServers(
  families: readonly ServerFamily[],
  options: StartOptions | ((name: ServerName) => StartOptions),
  tests: (name: ServerName, server: () => Server) => void,
): Promise<void> {
  const optionsOf = typeof options === 'function' ? options : () => options;
  await eachServer(families, true, (name) => startServer(name, optionsOf(name)), tests);
}

async function eachServer(
  families: readonly ServerFamily[],
  ends: boolean,
  start: (name: ServerName) => Promise<Server>,
  tests: (name: ServerName, server: () => Server) => void,
): Promise<void> {
  const wanted = wantedServers(process.env).filter(({ name }) => families.includes(familyOf(name)));
  if (wanted.length === 0) test.skip(`${families.join(', ')}: not among the servers asked for`);
  for (const { name } of wanted) {
    const source = await theDesk().source(name);
    const lacking =
      source.kind === 'missing'
        ? `not available: ${source.why}`
        : source.kind === 'given' && ends
          ? 'not exercised: given by its URL, it cannot be ended'
          : null;
    describe(`on ${name}`, () => {
      if (lacking !== null) {
        test.skip(lacking);
        return;
      }
      let running: Server | null = null;
      beforeAll(async () => {
        running = await start(name);
      }, startDeadlineMs);
      afterAll(async () => {
        await running?.stop();
      });
      tests(name, () => {
        if (running === null) throw new Error(`${name} is not started yet: ask for it in a hook or a test`);
        return running;
      });
    });
  }
}
