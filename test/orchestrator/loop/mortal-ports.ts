import type { BuildRunner } from 'signalbox/buildrunner';
import type { MemoryDriver } from 'signalbox/memory';
import type { BuildStore } from 'signalbox/orchestrator';
import type {
  Driver,
  DriverSubscription,
  Receipt,
  Received,
  Send,
  Settlement,
  SettleResult,
} from '../../../src/queue/driver.js';
import type { Life } from './life.js';
import type { Traffic } from './traffic.js';

/** What goes wrong between a living process and its queue. */
export interface DriverFaults {
  /** True: this message is stored twice. */
  readonly duplicated: (send: Send) => boolean;
  /** What of a settle call gets lost, null for nothing. */
  readonly settleLost: () => 'request' | 'answer' | null;
  /** False: an outbox is made durable message by message before its ack, as on a broker without transactions. */
  readonly atomicOutbox: boolean;
  /** Rewrites what is sent, null to swallow it: how a wrong queue is built. Default: as it is. */
  readonly rewrite?: ((send: Send, live: Traffic) => Send | null) | undefined;
}

/** What a lost call throws; `classify` knows it. */
class Hiccup extends Error {}

/** The memory driver as one life of a process sees it. */
export function mortalDriver(inner: MemoryDriver, life: Life, faults: DriverFaults, traffic: Traffic): Driver {
  const messageOf = new WeakMap<Receipt, Received['message']>();

  const asSent = (batch: readonly Send[]): readonly Send[] =>
    batch.flatMap((send) => {
      const kept = faults.rewrite === undefined ? send : faults.rewrite(send, traffic);
      if (kept === null) return [];
      return kept.target.kind === 'topic' && faults.duplicated(kept)
        ? [kept, { ...kept, nonce: `${kept.nonce}/again` }]
        : [kept];
    });
  const store = async (batch: readonly Send[]): Promise<void> => {
    const sends = asSent(batch);
    const results = await life.effect(() => inner.send(sends));
    for (const [n, result] of results.entries()) {
      if (result.status === 'failed') throw result.error;
      if (result.status === 'stored') traffic.stored(sends[n] as Send);
    }
  };

  const settleOne = async (inner: DriverSubscription, settlement: Settlement): Promise<SettleResult> => {
    const settle = (one: Settlement) => life.effect(() => inner.settle([one]));
    const acked = (settled: SettleResult | undefined, outbox: readonly Send[]): SettleResult => {
      const message = messageOf.get(settlement.receipt);
      if (settled?.status === 'done') {
        if (message !== undefined) traffic.acked(message.topic, message.id ?? '');
        for (const send of outbox) traffic.stored(send);
      }
      return settled ?? { status: 'lost' };
    };
    if (settlement.kind !== 'ack') {
      const [settled] = await life.step(`settle ${settlement.kind}`, () => settle(settlement));
      return settled ?? { status: 'lost' };
    }
    if (faults.atomicOutbox) {
      const outbox = asSent(settlement.outbox);
      return life.step('settle ack', async () => acked((await settle({ ...settlement, outbox }))[0], outbox));
    }
    for (const send of settlement.outbox) await life.step('settle outbox', () => store([send]));
    return life.step('settle ack', async () => acked((await settle({ ...settlement, outbox: [] }))[0], []));
  };

  return {
    name: inner.name,
    capabilities: { ...inner.capabilities, atomicOutbox: faults.atomicOutbox },
    clock: life.clock,
    open: (host) => inner.open(host),
    declare: (topology, options) => life.unlessDead(() => inner.declare(topology, options)),
    send: (batch) =>
      life.step('send', async () => {
        await store(batch);
        return batch.map(() => ({ status: 'stored', groups: null }) as const);
      }),
    async subscribe(options) {
      const subscription = await life.unlessDead(() => inner.subscribe(options));
      return {
        lease: subscription.lease,
        async receive(max, waitMs, signal) {
          const received = await life.unlessDead(() => subscription.receive(max, waitMs, signal));
          for (const { receipt, message } of received) messageOf.set(receipt, message);
          return received.length === 0 ? received : life.step('receive', async () => received);
        },
        async settle(batch) {
          const lost = faults.settleLost();
          if (lost === 'request') throw new Hiccup('the settle call got lost');
          const results: SettleResult[] = [];
          for (const settlement of batch) results.push(await settleOne(subscription, settlement));
          if (lost === 'answer') throw new Hiccup('the answer of the settle call got lost');
          return results;
        },
        close: () => life.unlessDead(() => subscription.close()),
      };
    },
    classify: (error) =>
      error instanceof Hiccup ? { code: 'unavailable', retryable: true, outcomeUnknown: true } : inner.classify(error),
    admin: inner.admin,
    health: () => inner.health(),
    close: () => life.unlessDead(() => inner.close()),
  };
}

export function mortalRunner(inner: BuildRunner, life: Life): BuildRunner {
  return {
    trigger: (request, options) => life.step('runner.trigger', () => inner.trigger(request, options)),
    status: (id, options) => life.step('runner.status', () => inner.status(id, options)),
    cancel: (id, options) => life.step('runner.cancel', () => inner.cancel(id, options)),
  };
}

export function mortalStore(inner: BuildStore, life: Life): BuildStore {
  return {
    createIfAbsent: (build) => life.step('store.createIfAbsent', () => inner.createIfAbsent(build)),
    load: (requestId) => life.step('store.load', () => inner.load(requestId)),
    loadByBuildId: (id) => life.step('store.loadByBuildId', () => inner.loadByBuildId(id)),
    compareAndSet: (build) => life.step('store.compareAndSet', () => inner.compareAndSet(build)),
    list: (query) => life.step('store.list', () => inner.list(query)),
    close: () => life.unlessDead(() => inner.close()),
  };
}
