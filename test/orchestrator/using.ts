import type { BuildStore } from '../../src/orchestrator/index.js';

/** Closes the store after its use, whatever came of it. */
export async function using<T>(store: BuildStore, use: (store: BuildStore) => Promise<T>): Promise<T> {
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}
