import { type Build, buildStates, hasEnded } from '../orchestrator/index.js';
import type { QueueEvents } from '../queue/index.js';

/** A message that was given up while the command ran. */
export type DeadLetterFacts = Pick<QueueEvents['dead-lettered'], 'id' | 'topic' | 'group' | 'cause' | 'reason'>;

/** What a run of builds has come to so far: progress shows it, the report at the end prints it. */
export class Tally {
  /** Lines of the jobs file that are on the queue. */
  fed = 0;
  readonly deadLetters: DeadLetterFacts[] = [];
  readonly #builds = new Map<string, Build>();

  /** Takes a record unless a newer one was seen: two of one build may be told of in either order. */
  see(build: Build): void {
    const seen = this.#builds.get(build.requestId);
    if (seen === undefined || seen.version < build.version) this.#builds.set(build.requestId, build);
  }

  build(requestId: string): Build | null {
    return this.#builds.get(requestId) ?? null;
  }

  /** In the order in which their requests were taken. */
  get builds(): readonly Build[] {
    return [...this.#builds.values()].sort((a, b) => a.createdAt - b.createdAt);
  }

  /** How many builds are in each state. */
  get states(): Readonly<Record<Build['status'], number>> {
    const states = Object.fromEntries(buildStates.map((state) => [state, 0])) as Record<Build['status'], number>;
    for (const { status } of this.#builds.values()) states[status] += 1;
    return states;
  }

  get polls(): number {
    let polls = 0;
    for (const build of this.#builds.values()) polls += build.polls;
    return polls;
  }

  get ended(): number {
    let ended = 0;
    for (const build of this.#builds.values()) if (hasEnded(build)) ended += 1;
    return ended;
  }
}
