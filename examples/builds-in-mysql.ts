import { openQueue } from 'signalbox';
import { noopRunner } from 'signalbox/buildrunner';
import { mysql } from 'signalbox/mysql';
import { createOrchestrator, orchestratorTopics } from 'signalbox/orchestrator';
import { mysqlBuildStore } from 'signalbox/orchestrator/mysql';

/**
 * Serves job requests until `stop`. Messages and builds are in one database, so this process may be killed at any time:
 * whoever serves next goes on, and several may serve at once.
 */
export async function serveBuilds(url: string, stop: AbortSignal): Promise<void> {
  const topics = orchestratorTopics();
  await using queue = await openQueue(mysql({ url }), { topics: Object.values(topics) });
  const store = await mysqlBuildStore({ url });
  try {
    await using orchestrator = createOrchestrator({
      queue,
      topics,
      store,
      runner: noopRunner(),
      pollDelays: { acceptedMs: 100 },
    });
    await orchestrator.start();
    if (!stop.aborted)
      await new Promise<void>((resolve) => stop.addEventListener('abort', () => resolve(), { once: true }));
  } finally {
    await store.close();
  }
}
