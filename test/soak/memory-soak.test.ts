import { openQueue } from 'signalbox';
import { memory, memoryStore } from 'signalbox/memory';
import { expect, test } from 'vitest';
import { accountOf } from '../../soak/account.js';
import { consumePlan } from '../../soak/consume.js';
import { type Entry, type Journal, monotonicMs } from '../../soak/journal.js';
import { Ledger } from '../../soak/ledger.js';
import { findLetters } from '../../soak/letters.js';
import type { Plan } from '../../soak/plan.js';
import { profiles } from '../../soak/profile.js';
import { publishPlan } from '../../soak/publish.js';
import { topicsOf } from '../../soak/topics.js';
import { brokenPromises } from '../../soak/verdict.js';

const seed = 7;
const messages = 2_000;
const plan: Plan = { seed, messages, mix: 'everything' };

/** One "process" of this one: what it writes after its death was never written. */
class MortalJournal implements Journal {
  readonly entries: Entry[] = [];
  #alive = true;

  write(entry: Entry): void {
    if (this.#alive) this.entries.push(entry);
  }

  end(): void {
    this.#alive = false;
  }
}

test('a soak whose consumers are killed and replaced keeps every promise on the memory driver', async () => {
  const store = memoryStore();
  const topics = topicsOf('memory');
  const journals: MortalJournal[] = [];
  const ledger = new Ledger(plan);
  const start = async (name: string) => {
    const driver = memory({ store });
    const queue = await openQueue(driver, { topics: Object.values(topics), name });
    const journal = new MortalJournal();
    journals.push(journal);
    return { driver, queue, journal, name };
  };
  const startConsumer = async (name: string) => {
    const process = await start(name);
    await consumePlan(process.queue, topics, process.journal, { ...plan, process: name });
    return process;
  };
  let consumers = [await startConsumer('consume-1'), await startConsumer('consume-2')];
  let started = 2;
  const publisher = await start('publish');

  const published = publishPlan(publisher.queue, topics, publisher.journal, { ...plan, durationMs: 2_000 });
  for (let kill = 0; kill < 4; kill++) {
    await expect.poll(() => handOuts(consumers[0]?.journal)).toBeGreaterThan(50);
    const [victim, ...others] = consumers;
    ledger.add({ e: 'killed', process: victim?.name ?? '', at: monotonicMs() });
    victim?.journal.end();
    victim?.driver.kill();
    consumers = [...others, await startConsumer(`consume-${++started}`)];
  }
  await published;
  const depths = () =>
    Promise.all(
      Object.values(topics).flatMap((topic) =>
        Object.keys(topic.groups).map((group) => publisher.queue.admin.depth(topic, group)),
      ),
    );
  await expect
    .poll(
      async () => (await depths()).every(({ ready, delayed, inHand }) => ready === 0 && delayed === 0 && inHand === 0),
      { timeout: 15_000, interval: 100 },
    )
    .toBe(true);
  const letters = await findLetters(publisher.queue, topics);
  await Promise.all([publisher, ...consumers].map(({ queue }) => queue.close()));

  for (const { entries } of journals) for (const entry of entries) ledger.add(entry);
  const account = accountOf({ ...plan, profile: profiles.memory }, ledger, letters);
  expect(brokenPromises(account)).toEqual([]);
  expect(account.published).toEqual({ stored: messages, unknown: 0, refused: 0 });
  expect(account.invoices).toBeGreaterThan(100);
  expect(account.lateness.count).toBeGreaterThan(300);
  expect(account.deadLetters.found).toBeGreaterThan(10);
  expect(account.duplicates['in hand of a killed process']).toBeGreaterThan(0);
});

const handOuts = (journal: MortalJournal | undefined): number =>
  journal?.entries.filter(({ e }) => e === 'hand').length ?? 0;
