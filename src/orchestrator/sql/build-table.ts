import type { Build } from '../build.js';
import type { BuildQuery } from '../build-store.js';
import type { BuildPlace } from './build-place.js';

/** What a database does for a build store. Each verb is one transaction, or one statement; each rejects with what the database answers. */
export interface BuildTable {
  /** Stores the build unless its request has one; answers the one that was there, or null. */
  insertUnlessThere(build: Build): Promise<Build | null>;
  load(requestId: string): Promise<Build | null>;
  loadByBuildId(id: string): Promise<Build | null>;
  /** Writes the build with its version raised by one, where the version is still that of `build`; answers whether it did. */
  replace(build: Build): Promise<boolean>;
  /** In the order of their places, from behind `after`. */
  list(query: Omit<BuildQuery, 'cursor'>, after: BuildPlace | null): Promise<readonly Build[]>;
  close(): Promise<void>;
}
