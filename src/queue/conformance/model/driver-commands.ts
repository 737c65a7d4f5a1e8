import type { Arbitrary } from 'fast-check';
import { type Command, definer } from './command.js';
import type { FastCheck } from './fast-check.js';
import { type Entry, groupsOfRoute, type Kind, type Scene } from './scene.js';

/** Delays and waits that are worth trying: on a virtual clock leases and idempotency windows end within them. */
const spans = { virtual: [0, 1, 250, 1_000, 29_999, 30_000, 61_000], real: [0, 10, 60] } as const;

/** What can be done to a driver, each with what it takes. */
export function driverCommands(fc: FastCheck, isVirtual: boolean): readonly Command<Scene>[] {
  const define = definer<Scene>(fc);
  const span = fc.constantFrom<number>(...spans[isVirtual ? 'virtual' : 'real']);
  const pick = fc.nat({ max: 20 });
  const client = fc.nat({ max: 1 });
  const max = fc.integer({ min: 1, max: 6 });
  const topic = fc.constantFrom('plain', 'keyed');
  const group = fc.record({ topic, name: fc.constantFrom('west', 'pairs') });
  const routes = Object.keys(groupsOfRoute) as Entry['route'][];
  const often = <T>(usual: T, seldom: Arbitrary<T>, weight = 3): Arbitrary<T> =>
    fc.oneof({ arbitrary: fc.constant(usual), weight }, { arbitrary: seldom, weight: 1 });
  const entry: Arbitrary<Entry> = fc.record({
    topic,
    key: fc.constantFrom('a', 'a', 'b', 'c', null),
    route: often<Entry['route']>('eu', fc.constantFrom(...routes)),
    delayMs: often(0, span),
    once: often<Entry['once']>(null, fc.constantFrom('x', 'y'), 9),
  });
  const kind = fc.constantFrom<Kind>('ack', 'ack', 'nack', 'postpone', 'bury', 'give-back');
  const settlement = fc.record({
    pick,
    stale: fc.oneof({ arbitrary: fc.constant(false), weight: 9 }, { arbitrary: fc.constant(true), weight: 1 }),
    kind,
    delayMs: often(0, span, 1),
    outbox: fc.oneof(
      { arbitrary: fc.constant<Entry[]>([]), weight: 2 },
      { arbitrary: fc.array(entry, { minLength: 1, maxLength: 2 }), weight: 1 },
    ),
  });
  const which = fc.oneof(pick, fc.constant('all' as const));
  const readerOf = (scene: Scene, n: number): Scene['readers'][number] =>
    scene.readers[n % scene.readers.length] as Scene['readers'][number];
  const holds = (scene: Scene, n: number): boolean =>
    scene.readers.length > 0 && scene.held(readerOf(scene, n)).length > 0;
  const someReader = (scene: Scene): boolean => scene.readers.length > 0;

  return [
    define('publish', 4, { entries: fc.array(entry, { minLength: 1, maxLength: 4 }) }, always, (scene, { entries }) =>
      scene.send(entries),
    ),
    define(
      'subscribe',
      2,
      { client, group },
      ({ readers }) => readers.length < 5,
      (scene, data) => scene.openReader(data.client, scene.group(data.group.topic, data.group.name)),
    ),
    define('receive', 4, { reader: pick, max }, someReader, (scene, data) =>
      scene.receive(readerOf(scene, data.reader), data.max),
    ),
    define('wait', 1, { reader: pick, max, waitMs: span }, roomy, (scene, data) =>
      scene.wait(readerOf(scene, data.reader), data.max, Math.max(1, data.waitMs)),
    ),
    define(
      'publish to a waiting reader',
      1,
      { reader: pick, key: entry.map(({ key }) => key) },
      idle,
      (scene, data) => {
        const reader = readerOf(scene, data.reader);
        const to = reader.group.topic as Entry['topic'];
        return scene.publishToWaiting(reader, {
          topic: to,
          key: freeKey(scene, data),
          route: 'eu',
          delayMs: 0,
          once: null,
        });
      },
    ),
    define(
      'settle',
      5,
      { reader: pick, settlements: fc.array(settlement, { minLength: 1, maxLength: 3 }) },
      (scene, { reader }) => holds(scene, reader),
      (scene, data) => {
        const reader = readerOf(scene, data.reader);
        const held = scene.held(reader);
        return scene.settle(
          reader,
          data.settlements.map((one) => {
            const from = one.stale ? reader.handed : held;
            const handed = from[one.pick % from.length] as (typeof from)[number];
            return scene.plan(handed, one.kind, one.delayMs, scene.sendable(one.outbox));
          }),
        );
      },
    ),
    define(
      'lose leases',
      1,
      { reader: pick, count: max },
      (scene, { reader }) => holds(scene, reader),
      (scene, data) => {
        const reader = readerOf(scene, data.reader);
        return scene.loseLeases(reader, scene.held(reader).slice(0, data.count));
      },
    ),
    define(
      'extend leases',
      1,
      { reader: pick, ms: fc.constantFrom(1_000, 30_000, 60_000) },
      someReader,
      (scene, data) => {
        const reader = readerOf(scene, data.reader);
        return scene.extend(reader, reader.handed, isVirtual ? data.ms : 60_000);
      },
    ),
    define('close a reader', 1, { reader: pick }, someReader, (scene, data) =>
      scene.closeReader(readerOf(scene, data.reader)),
    ),
    define(
      'kill and reopen',
      1,
      { client },
      ({ canKill }) => canKill,
      (scene, data) => scene.killAndReopen(data.client),
    ),
    define(
      'cut',
      1,
      { client },
      ({ canCut }) => canCut,
      (scene, data) => scene.cut(data.client),
    ),
    define('pass time', 2, { ms: span }, always, (scene, { ms }) => scene.pass(ms)),
    define('look at the depth', 1, { group }, always, (scene, data) =>
      scene.checkDepth(scene.group(data.group.topic, data.group.name)),
    ),
    define('list dead letters', 1, { group }, always, (scene, data) =>
      scene.checkLetters(scene.group(data.group.topic, data.group.name)),
    ),
    define('redrive', 1, { group, which }, always, (scene, data) =>
      scene.redrive(scene.group(data.group.topic, data.group.name), data.which),
    ),
    define('purge', 1, { group, which: pick }, always, (scene, data) =>
      scene.purge(scene.group(data.group.topic, data.group.name), data.which),
    ),
  ];

  /** A reader that has room, and that would get all there is. */
  function roomy(scene: Scene, { reader }: { readonly reader: number }): boolean {
    return someReader(scene) && scene.held(readerOf(scene, reader)).length < 6;
  }

  function idle(scene: Scene, data: { readonly reader: number }): boolean {
    if (!roomy(scene, data)) return false;
    const reader = readerOf(scene, data.reader);
    return scene.isSole(reader) && scene.isIdle(reader.group);
  }

  /** A key that nobody holds, or none: what is published under it must come at once. */
  function freeKey(
    scene: Scene,
    { reader, key }: { readonly reader: number; readonly key: Entry['key'] },
  ): Entry['key'] {
    const { copies } = readerOf(scene, reader).group;
    return copies.some(({ message }) => message.key === key) ? null : key;
  }
}

const always = (): boolean => true;
