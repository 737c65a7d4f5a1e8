import type { Server, StartOptions } from './server.js';
import { familyOf, type ServerName } from './server-name.js';
import { serverOf } from './server-of.js';
import { startFromSource } from './start-from-source.js';
import { theDesk } from './the-desk.js';

/**
 * Starts a server for the caller alone, who may end and start it and must `stop` it. It never outlives this process.
 * A server that was given by URL is answered with `control: null`.
 */
export async function startServer(name: ServerName, options: StartOptions = {}): Promise<Server> {
  const desk = theDesk();
  const { facts, control, stop } = await startFromSource(name, await desk.source(name), options);
  await desk.met(name, facts.version);
  return serverOf(facts, control, stop);
}

/**
 * The server of that name that all tests of a run use, each in a database or vhost of its own (`freshUrl`). It is
 * started when first asked for and ends with the run, so `control` is null and `stop` does nothing.
 */
export async function sharedServer(name: ServerName): Promise<Server> {
  const desk = theDesk();
  const facts = await desk.shared(name);
  const freshUrl = familyOf(name) === 'rabbitmq' ? () => desk.vhost(name) : undefined;
  return serverOf(facts, null, async () => undefined, freshUrl);
}
