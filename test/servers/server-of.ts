import { createDatabase } from './create-database.js';
import { createVhosts } from './create-vhosts.js';
import { runInContainer } from './docker.js';
import type { ServerFacts } from './facts.js';
import { rabbitmqctl } from './rabbit-node.js';
import type { Server, ServerControl } from './server.js';
import { familyOf } from './server-name.js';

/** The server that the facts are about. `end` is called once. `freshUrl`: where places of it come from, made one by one unless they are shared. */
export function serverOf(
  facts: ServerFacts,
  control: ServerControl | null,
  end: () => Promise<void>,
  freshUrl: () => Promise<string> = async () => (await freshUrls(facts, 1))[0] ?? facts.url,
): Server {
  const { name, version, url, host, port } = facts;
  const tool = toolOf(facts);
  let ended: Promise<void> | null = null;
  const stop = (): Promise<void> => {
    ended ??= end();
    return ended;
  };
  return {
    name,
    version,
    url,
    host,
    port,
    control,
    rabbitmqctl: tool,
    freshUrl,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** The URLs of new databases or vhosts of a server; none where no vhost can be made. */
export async function freshUrls(facts: ServerFacts, count: number): Promise<readonly string[]> {
  if (familyOf(facts.name) !== 'rabbitmq') {
    return Promise.all(Array.from({ length: count }, () => createDatabase(facts.url)));
  }
  const tool = toolOf(facts);
  return tool === null ? [] : createVhosts(facts.url, tool, count);
}

function toolOf({ name, node, containerId }: ServerFacts): Server['rabbitmqctl'] {
  if (familyOf(name) !== 'rabbitmq') return null;
  if (node !== null) return (...args) => rabbitmqctl(node, args);
  if (containerId !== null) return (...args) => runInContainer(containerId, ['rabbitmqctl', '--quiet', ...args]);
  return null;
}
