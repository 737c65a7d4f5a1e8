import { openQueue, type Queue, VirtualClock } from 'signalbox';
import { type ScriptedRunner, type ScriptedRunnerOptions, scriptedRunner } from 'signalbox/buildrunner';
import { memory, memoryStore } from 'signalbox/memory';
import {
  type Build,
  type BuildFinished,
  type BuildStore,
  createOrchestrator,
  hasEnded,
  isPolled,
  type JobRequestInput,
  memoryBuildStore,
  type Orchestrator,
  type OrchestratorOptions,
  orchestratorTopics,
} from 'signalbox/orchestrator';
import { orchestratorOf, type Tables, tables } from '../../../src/orchestrator/orchestrator.js';
import { Life } from './life.js';
import { type DriverFaults, mortalDriver, mortalRunner, mortalStore } from './mortal-ports.js';
import { seeded } from './random.js';
import { Traffic } from './traffic.js';

export interface WorldOptions {
  readonly jobs: readonly JobRequestInput[];
  readonly runner: Omit<ScriptedRunnerOptions, 'clock'>;
  readonly seed?: number;
  /** How many orchestrators run at once. Default: 1. */
  readonly processes?: number;
  readonly faults?: Partial<DriverFaults>;
  /** Where to crash; steps are numbered from 1 over all lives. */
  readonly crash?: (step: string, number: number) => 'before' | 'after' | null;
  readonly orchestrator?: Partial<OrchestratorOptions>;
  readonly tables?: Partial<Tables>;
}

const noFaults: DriverFaults = { duplicated: () => false, settleLost: () => null, atomicOutbox: true };
const groups = ['poster', 'stats'];

/** How long a process is gone after a crash. */
const downMs = 700;

/**
 * Orchestrators, a queue, a store and a build farm, all on one virtual clock, of which only the orchestrators die. A
 * dead one is followed by a new one on the same queue and the same store.
 */
export class World {
  readonly clock = new VirtualClock();
  readonly runner: ScriptedRunner;
  readonly traffic = new Traffic();
  readonly topics = orchestratorTopics({ finishedGroups: groups });
  /** The store itself, for looking. */
  readonly builds = memoryBuildStore();
  /** Every `nextPoll` that a build's record went through, in order. */
  readonly advances = new Map<string, number[]>();
  /** What each group was told, by request id. */
  readonly told = new Map<string, Map<string, BuildFinished[]>>(groups.map((group) => [group, new Map()]));
  readonly steps: string[] = [];
  readonly dead: string[] = [];
  crashes = 0;
  /** When the last crash was. */
  crashedAt = 0;
  readonly #options: WorldOptions;
  readonly #random: () => number;
  readonly #store: BuildStore;
  #queueStore = memoryStore({ clock: this.clock });
  #announced = 0;
  #lives: { readonly life: Life; orchestrator: Orchestrator | null; queue: Queue | null }[] = [];
  #stopped = false;
  readonly #errors: unknown[] = [];
  #outside: Queue | null = null;

  constructor(options: WorldOptions) {
    this.#options = options;
    this.#random = seeded(options.seed ?? 1);
    this.runner = scriptedRunner({ clock: this.clock, ...options.runner });
    this.#store = this.#watched(this.builds);
  }

  /** Starts the orchestrators and the readers of the other groups, and publishes the jobs. */
  async start(): Promise<void> {
    await this.#openOutside();
    for (let n = 0; n < (this.#options.processes ?? 1); n++) this.#boot();
    for (const job of this.#options.jobs) await this.outside.publish(this.topics.jobs, job, { key: job.request_id });
  }

  get outside(): Queue {
    if (this.#outside === null) throw new Error('the world was not started');
    return this.#outside;
  }

  /** Another client, which never dies: asks for a cancel. */
  async cancel(requestId: string): Promise<void> {
    const { topics, runner, builds: store, clock } = this;
    await createOrchestrator({ queue: this.outside, topics, runner, store, clock }).cancel(
      requestId,
      'not wanted any more',
    );
  }

  /** Says from outside that a build is worth a look, as a webhook does. */
  async push(requestId: string): Promise<void> {
    const build = await this.builds.load(requestId);
    if (build?.buildId) await this.outside.publish(this.topics.signal, { id: build.buildId.id });
  }

  /** All queues are gone with everything in them, and the processes with them. */
  async loseQueue(): Promise<void> {
    this.#queueStore = memoryStore({ clock: this.clock });
    this.traffic.live.clear();
    await this.#openOutside();
    for (const { life } of [...this.#lives]) void life.die();
  }

  /** Closes an orchestrator as a deploy does, and starts another. */
  async replaceOne(): Promise<void> {
    const one = this.#lives.find(({ orchestrator }) => orchestrator !== null);
    if (one === undefined) return;
    await one.orchestrator?.close();
    await one.queue?.close();
    if (!one.life.alive) return;
    this.#forget(one.life);
    this.#boot();
  }

  killOne(): void {
    void this.#lives[Math.floor(this.#random() * this.#lives.length)]?.life.die();
  }

  /** Every build has ended, and every group was told. */
  get done(): boolean {
    if (this.#errors.length > 0) throw this.#errors[0];
    const all = this.#options.jobs.length;
    return this.#announced >= all && [...this.told.values()].every((group) => group.size >= all);
  }

  async runUntilDone(withinMs: number): Promise<void> {
    await this.clock.advanceUntil(() => this.done, withinMs);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const { life } of [...this.#lives]) void life.die();
    await this.#outside?.close();
  }

  async records(): Promise<readonly Build[]> {
    return (await this.builds.list({ limit: 1_000, cursor: null })).builds;
  }

  /** What is wrong with the builds now that all is over; empty when nothing is. */
  async violations(): Promise<readonly string[]> {
    const found: string[] = [];
    const records = new Map((await this.records()).map((build) => [build.requestId, build]));
    for (const { request_id } of this.#options.jobs) {
      const build = records.get(request_id);
      if (build === undefined || !hasEnded(build)) {
        found.push(`lost: build ${request_id} is ${build?.status ?? 'not there'}`);
        continue;
      }
      if (!build.announced) found.push(`lost: the end of ${request_id} was never announced`);
      if (build.remindedAt !== null) found.push(`hung: build ${request_id} went on only because of the sweep`);
      for (const [group, ends] of this.told) {
        const statuses = new Set(ends.get(request_id)?.map(({ status }) => status));
        if (statuses.size !== 1 || !statuses.has(build.status)) {
          found.push(`lost: group ${group} was told of ${request_id}: ${[...statuses].join(', ') || 'nothing'}`);
        }
      }
      const advances = this.advances.get(request_id) ?? [];
      if (!advances.every((poll, n) => poll === n + 1))
        found.push(`two chains: ${request_id} advanced by ${advances.join(' ')}`);
    }
    const keys = this.runner.log.builds.map(({ request }) => request.idempotencyKey);
    if (new Set(keys).size !== keys.length) found.push('triggered twice: a request was started twice');
    if (keys.length > this.#options.jobs.length)
      found.push(`triggered twice: ${keys.length} builds of ${this.#options.jobs.length} requests`);
    return found;
  }

  /**
   * What is wrong with the chains while nothing fails: every build that goes on has one poll message, and that has the
   * number which is due. Messages in hand count, so ask between two instants.
   */
  async chainViolations(): Promise<readonly string[]> {
    const found: string[] = [];
    for (const build of await this.records()) {
      const polls = this.traffic.pollsOf(build.requestId);
      if (!isPolled(build)) continue;
      if (polls.length === 0)
        found.push(`dead chain: ${build.requestId} has no poll message, ${build.nextPoll} is due`);
      if (polls.length > 1) found.push(`two chains: ${build.requestId} has the polls ${polls.join(' ')}`);
    }
    return found;
  }

  async #openOutside(): Promise<void> {
    const queue = await openQueue(memory({ store: this.#queueStore }), { topics: Object.values(this.topics) });
    for (const group of groups) {
      const ends = this.told.get(group) as Map<string, BuildFinished[]>;
      await queue.consume(
        this.topics.finished,
        ({ message: { body } }) => {
          ends.set(body.request_id, [...(ends.get(body.request_id) ?? []), body]);
        },
        { group },
      );
    }
    this.#outside = queue;
  }

  #boot(): void {
    if (this.#stopped) return;
    const inner = memory({ store: this.#queueStore });
    const life = new Life(
      this.clock,
      (step) => {
        this.steps.push(step);
        return this.#options.crash?.(step, this.steps.length) ?? null;
      },
      () => {
        inner.kill();
        if (this.#stopped) return;
        this.crashes += 1;
        this.crashedAt = this.clock.now();
        this.#forget(life);
        this.clock.schedule(() => this.#boot(), downMs);
      },
    );
    const entry: { readonly life: Life; orchestrator: Orchestrator | null; queue: Queue | null } = {
      life,
      orchestrator: null,
      queue: null,
    };
    this.#lives.push(entry);
    const serve = async (): Promise<void> => {
      const driver = mortalDriver(inner, life, { ...noFaults, ...this.#options.faults }, this.traffic);
      const topics = Object.values(this.topics);
      const queue = await openQueue(driver, { topics, clock: life.clock, random: this.#random });
      queue.events.on('dead-lettered', ({ topic, id, reason }) => this.dead.push(`${topic} ${id}: ${reason}`));
      const options: OrchestratorOptions = {
        queue,
        topics: this.topics,
        runner: mortalRunner(this.runner, life),
        store: mortalStore(this.#store, life),
        clock: life.clock,
        random: this.#random,
        ...this.#options.orchestrator,
      };
      const orchestrator = orchestratorOf(options, Object.assign({}, tables, this.#options.tables));
      entry.queue = queue;
      await orchestrator.start();
      entry.orchestrator = orchestrator;
    };
    serve().catch((error: unknown) => this.#errors.push(error));
  }

  #forget(life: Life): void {
    this.#lives = this.#lives.filter((entry) => entry.life !== life);
  }

  /** The store, with what went through it written down. */
  #watched(store: BuildStore): BuildStore {
    return {
      ...store,
      compareAndSet: async (build) => {
        const before = await store.load(build.requestId);
        const won = await store.compareAndSet(build);
        if (won && before !== null) {
          if (build.nextPoll !== before.nextPoll) {
            const advances = this.advances.get(build.requestId);
            if (advances === undefined) this.advances.set(build.requestId, [build.nextPoll]);
            else advances.push(build.nextPoll);
          }
          if (build.announced && !before.announced) this.#announced += 1;
        }
        return won;
      },
    };
  }
}
