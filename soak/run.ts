import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openQueue, type Queue, sleep, systemClock } from 'signalbox';
import { type Account, accountOf } from './account.js';
import type { SoakOptions } from './arguments.js';
import { Crew } from './crew.js';
import { monotonicMs } from './journal.js';
import { Ledger } from './ledger.js';
import { findLetters } from './letters.js';
import { groupsOf, topicNames } from './plan.js';
import { profiles } from './profile.js';
import type { Facts } from './report.js';
import { type KillableServer, targetOf } from './target.js';
import { type SoakTopics, topicsOf } from './topics.js';
import { brokenPromises } from './verdict.js';

export interface Outcome {
  readonly facts: Facts;
  readonly account: Account;
  readonly broken: readonly string[];
}

const killEveryMs = 3_000;
const pollMs = 250;
const dismissMs = 30_000;
/** A duplicate that is still on its way when all is settled is seen when it comes within this time. */
const quietMs = 5_000;

/** One soak from the first declaration to the last account. Rejects where it could not be run at all. */
export async function runSoak(options: SoakOptions, say: (line: string) => void): Promise<Outcome> {
  const { backend, seed, messages, mix } = options;
  const run = Math.random().toString(36).slice(2, 8);
  // First, so that a server that cannot be killed is an error before anything was sent.
  await using target = await targetOf(options, run);
  const { url, version, server } = target;
  const topics = topicsOf(run);
  const ledger = new Ledger(options);
  const folder = mkdtempSync(join(tmpdir(), 'signalbox-soak-'));
  const durationMs = options.minutes * 60_000;
  const crew = new Crew({ url, run, seed, messages, mix, durationMs }, folder, ledger);
  const interrupt = (): void => {
    crew.killAll();
    process.exit(130);
  };
  process.once('SIGINT', interrupt);
  const queue = await openQueue(url, { topics: Object.values(topics), name: 'soak' });
  try {
    const startedAt = monotonicMs();
    const downMs = await keepGoing({ options, queue, server, crew, ledger, durationMs, say });
    const seconds = (monotonicMs() - startedAt) / 1_000;
    await crew.dismiss(dismissMs);
    crew.read();
    const letters = await findLetters(queue, topics);
    const account = accountOf({ seed, messages, mix, profile: profiles[backend] }, ledger, letters);
    const broken = [...brokenPromises(account), ...crew.deserters];
    // What is broken is kept for whoever looks for the reason: in the backend, and in the journals.
    if (broken.length === 0) {
      await removeAll(queue, topics);
      rmSync(folder, { recursive: true });
    } else say(`journals are kept in ${folder}, messages under soak-${run}-`);
    const facts: Facts = {
      ...{ backend, version, node: process.version, seed, mix, seconds, consumers: options.consumers, downMs },
      processKills: ledger.processKills.size,
      serverKills: ledger.serverKills.length,
    };
    return { facts, account, broken };
  } finally {
    crew.killAll();
    crew.close();
    process.off('SIGINT', interrupt);
    await queue.close();
  }
}

interface Going {
  readonly options: SoakOptions;
  readonly queue: Queue;
  readonly server: KillableServer | null;
  readonly crew: Crew;
  readonly ledger: Ledger;
  readonly durationMs: number;
  readonly say: (line: string) => void;
}

/** Publishes, consumes and kills until all is settled, or nothing happens any more. Answers how long the server was away each time. */
async function keepGoing(going: Going): Promise<readonly number[]> {
  const { options, queue, server, crew, ledger, durationMs, say } = going;
  const startedAt = monotonicMs();
  const downMs: number[] = [];
  for (let i = 0; i < options.consumers; i++) crew.startConsumer();
  let publishing = true;
  const published = crew.publish().then(() => {
    publishing = false;
  });
  const kills = (server === null ? [] : [durationMs / 3, (durationMs * 2) / 3]).map((ms) => startedAt + ms);
  let replaceAt = startedAt + killEveryMs;
  let sayAt = startedAt + 10_000;
  for (;;) {
    await sleep(systemClock, pollMs);
    crew.read();
    const now = monotonicMs();
    if (publishing && now >= replaceAt) {
      crew.replaceOne();
      replaceAt = now + killEveryMs;
    }
    if (server !== null && now >= (kills[0] ?? Number.POSITIVE_INFINITY)) {
      kills.shift();
      downMs.push(await killAndStart(server, ledger));
    }
    if (now >= sayAt) {
      say(`${Math.round((now - startedAt) / 1_000)} s: ${ledger.handOuts} hand-outs, ${ledger.owed.size} owed`);
      sayAt = now + 10_000;
    }
    const quietForMs = now - Math.max(ledger.lastHandAt, startedAt);
    if (!publishing && quietForMs >= patienceMs(options, queue, ledger)) break;
    if (publishing && quietForMs > options.patienceSeconds * 1_000 + durationMs)
      throw new Error('the publisher never ended');
  }
  await published;
  return downMs;
}

/** How long nothing may be handed out before it is over. */
function patienceMs(options: SoakOptions, queue: Queue, ledger: Ledger): number {
  if (ledger.owed.size === 0) return quietMs;
  // An ack whose answer a kill took away: if it did not take effect, the message comes again when its lease has ended.
  if (ledger.allOwedMayBeSettled()) return quietMs + (queue.capabilities.lease?.ms ?? 0);
  return options.patienceSeconds * 1_000;
}

async function killAndStart(server: KillableServer, ledger: Ledger): Promise<number> {
  let at = 0;
  await server.kill(() => {
    at = monotonicMs();
    ledger.add({ e: 'server-killed', at });
  });
  await server.start();
  const readyAt = monotonicMs();
  ledger.add({ e: 'server-ready', at: readyAt });
  return readyAt - at;
}

/** Runs leave nothing behind but names. */
async function removeAll(queue: Queue, topics: SoakTopics): Promise<void> {
  for (const name of topicNames) for (const group of groupsOf[name]) await queue.admin.removeGroup(topics[name], group);
}
