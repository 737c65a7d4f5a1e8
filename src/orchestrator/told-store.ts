import type { Build } from './build.js';
import type { BuildStore } from './build-store.js';

/** The same store, which tells of every record that was written through it. */
export function toldStore(store: BuildStore, tell: (build: Build) => void): BuildStore {
  return {
    async createIfAbsent(build) {
      const creation = await store.createIfAbsent(build);
      if (creation.created) tell(creation.build);
      return creation;
    },
    async compareAndSet(build) {
      const won = await store.compareAndSet(build);
      if (won) tell({ ...build, version: build.version + 1 });
      return won;
    },
    load: (requestId) => store.load(requestId),
    loadByBuildId: (buildId) => store.loadByBuildId(buildId),
    list: (query) => store.list(query),
    close: () => store.close(),
  };
}
