import type { BuildId } from '../buildrunner/index.js';
import type { Build, BuildState } from './build.js';

/**
 * Where the orchestrator keeps its builds. Several orchestrators may use one store at once; what keeps them
 * apart is `compareAndSet` alone. `buildStoreContract` tests what is promised here.
 *
 * Records go in and come out as copies: changing one afterwards changes nothing in the store. Every verb sees
 * what was written before it was called. Whatever it rejects with is taken as worth a retry.
 */
export interface BuildStore {
  /** Stores the record unless there is one of its `requestId`, and answers the one that stands. */
  createIfAbsent(build: Build): Promise<Creation>;

  load(requestId: string): Promise<Build | null>;

  /** Finds by the runner's name, from the moment a record with it was stored. */
  loadByBuildId(buildId: BuildId): Promise<Build | null>;

  /**
   * Replaces the record of the same `requestId` if its version is still `build.version`, with the version
   * raised by one, and answers whether it did; false also when there is no such record.
   *
   * False means: not written. A store that repeats a statement whose answer was lost can meet its own write
   * there, and has to reject; a false answer would make a consumer drop the chain that it has just moved.
   */
  compareAndSet(build: Build): Promise<boolean>;

  /**
   * A page of builds, oldest first (`createdAt`, then `requestId`). A build that fits the filter all the
   * while is listed exactly once over the pages, whatever else changes meanwhile.
   */
  list(query: BuildQuery): Promise<BuildPage>;

  /** Releases what the store holds. Closing twice is one closing; every other verb afterwards is a `closed` error. */
  close(): Promise<void>;
}

/** Which builds to list; what is left out does not matter. */
export interface BuildQuery {
  readonly statuses?: readonly BuildState[] | undefined;
  /** False finds everything that still has to happen: builds that go on, and ends that were not told. */
  readonly announced?: boolean | undefined;
  /** The most builds of one page, from 1 to `maxPageSize`. */
  readonly limit: number;
  /** `next` of the page before; null for the first. */
  readonly cursor: string | null;
}

/** The longest page that every store serves. */
export const maxPageSize = 1_000;

export interface BuildPage {
  readonly builds: readonly Build[];
  /** Null when this was the last page. */
  readonly next: string | null;
}

export interface Creation {
  readonly created: boolean;
  /** The record that stands: the new one, or the one that was there. */
  readonly build: Build;
}
