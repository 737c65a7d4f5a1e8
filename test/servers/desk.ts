import type { ServerFacts } from './facts.js';
import { findSource } from './find-source.js';
import { type ServerName, type WantedServer, wantedServers } from './server-name.js';
import { freshUrls } from './server-of.js';
import { type Source, saySource } from './source.js';
import { startFromSource } from './start-from-source.js';
import type { StartedServer } from './started-server.js';
import { VhostSupply } from './vhost-supply.js';

/** What the processes of a test run ask of one that they have in common. */
export interface Desk {
  /** Found, or installed, once per run. */
  source(name: ServerName): Promise<Source>;
  /** A server that runs until the end of the run, for every test that does not end it; started when first asked for. */
  shared(name: ServerName): Promise<ServerFacts>;
  /** The URL of an empty vhost of the shared RabbitMQ server of that name; its own URL where no vhost can be made. */
  vhost(name: ServerName): Promise<string>;
  /** Says that tests have met this server, for the list at the end. */
  met(name: ServerName, version: string): Promise<void>;
}

/** The one that answers. */
export class OpenDesk implements Desk {
  readonly #environment: NodeJS.ProcessEnv;
  readonly #wanted: readonly WantedServer[];
  readonly #sources = new Map<ServerName, Promise<Source>>();
  readonly #shared = new Map<ServerName, Promise<StartedServer>>();
  readonly #vhosts = new Map<ServerName, VhostSupply>();
  readonly #met = new Map<ServerName, Set<string>>();
  /** One search at a time: two would install at once. */
  #searches: Promise<unknown> = Promise.resolve();

  constructor(environment: NodeJS.ProcessEnv) {
    this.#environment = environment;
    this.#wanted = wantedServers(environment);
  }

  source(name: ServerName): Promise<Source> {
    return remembered(this.#sources, name, () => {
      const wanted = this.#wanted.find((server) => server.name === name) ?? { name, url: null, need: 'required' };
      const found = this.#searches.then(() => findSource(wanted, this.#environment));
      this.#searches = found.catch(() => undefined);
      return found;
    });
  }

  async shared(name: ServerName): Promise<ServerFacts> {
    const started = remembered(this.#shared, name, async () => startFromSource(name, await this.source(name), {}));
    const { facts } = await started;
    await this.met(name, facts.version);
    return facts;
  }

  async vhost(name: ServerName): Promise<string> {
    const facts = await this.shared(name);
    const supply =
      this.#vhosts.get(name) ??
      new VhostSupply(async (count) => {
        const urls = await freshUrls(facts, count);
        return urls.length > 0 ? urls : [facts.url];
      });
    this.#vhosts.set(name, supply);
    return supply.take();
  }

  async met(name: ServerName, version: string): Promise<void> {
    this.#met.set(name, (this.#met.get(name) ?? new Set()).add(version));
  }

  /** A line per server that was asked for: its version and where it came from, or why there was none. */
  async report(): Promise<readonly string[]> {
    return Promise.all(
      [...this.#sources].map(async ([name, found]) => {
        const from = await found.then(saySource, (error: unknown) => `not available: ${(error as Error).message}`);
        const versions = [...(this.#met.get(name) ?? [])].join(', ');
        return versions === '' ? `${name}: ${from}` : `${name}: ${versions} (${from})`;
      }),
    );
  }

  /** Ends the shared servers. */
  async close(): Promise<void> {
    const ends = [...this.#shared.values()].map(async (started) => (await started).stop());
    await Promise.allSettled(ends);
  }
}

function remembered<Value>(
  map: Map<ServerName, Promise<Value>>,
  name: ServerName,
  make: () => Promise<Value>,
): Promise<Value> {
  const known = map.get(name);
  if (known !== undefined) return known;
  const made = make();
  map.set(name, made);
  return made;
}
