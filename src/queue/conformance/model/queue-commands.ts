import type { Arbitrary } from 'fast-check';
import { type Command, definer } from './command.js';
import type { FastCheck } from './fast-check.js';
import type { QueueScene, Verb } from './queue-scene.js';
import { type Entry, groupsOfRoute } from './scene.js';

/** Delays and waits that are worth trying. */
const spans = { virtual: [0, 1, 100, 250, 5_000, 31_000], real: [0, 10, 60] } as const;

/** What can be done with a queue, each with what it takes. */
export function queueCommands(fc: FastCheck, isVirtual: boolean): readonly Command<QueueScene>[] {
  const define = definer<QueueScene>(fc);
  const span = fc.constantFrom<number>(...spans[isVirtual ? 'virtual' : 'real']);
  const reader = fc.nat({ max: 20 });
  const pick = reader;
  const group = fc.record({ topic: fc.constantFrom('plain', 'keyed'), name: fc.constantFrom('west', 'pairs') });
  const routes = Object.keys(groupsOfRoute) as Entry['route'][];
  const entry: Arbitrary<Entry> = fc.record({
    topic: fc.constantFrom('plain', 'keyed'),
    key: fc.constantFrom('a', 'a', 'b', 'c', null),
    route: fc.oneof({ arbitrary: fc.constant<Entry['route']>('eu'), weight: 3 }, fc.constantFrom(...routes)),
    delayMs: fc.oneof({ arbitrary: fc.constant(0), weight: 3 }, span),
    once: fc.constant(null),
  });
  const verb = fc.constantFrom<Verb>('ack', 'ack', 'nack', 'nack', 'postpone', 'reject');
  const outbox = fc.oneof(
    { arbitrary: fc.constant<Entry[]>([]), weight: 2 },
    fc.array(entry, { minLength: 1, maxLength: 2 }),
  );

  const readerOf = ({ readers }: QueueScene, n: number): QueueScene['readers'][number] =>
    readers[n % readers.length] as QueueScene['readers'][number];
  const someReader = ({ readers }: QueueScene): boolean => readers.length > 0;
  const holding = (scene: QueueScene): readonly QueueScene['readers'][number][] =>
    scene.readers.filter(({ held }) => held.length > 0);
  const holds = (scene: QueueScene): boolean => holding(scene).length > 0;
  const withHeld = (scene: QueueScene, data: { readonly reader: number; readonly pick: number }) => {
    const all = holding(scene);
    const one = all[data.reader % all.length] as QueueScene['readers'][number];
    return { one, handed: one.held[data.pick % one.held.length] as (typeof one.held)[number] };
  };

  return [
    define('publish', 4, { entry }, always, (scene, data) => scene.publish(data.entry)),
    define('publish a batch', 1, { entries: fc.array(entry, { minLength: 1, maxLength: 4 }) }, always, (scene, data) =>
      scene.publishBatch(data.entries),
    ),
    define(
      'subscribe',
      2,
      { group, prefetch: fc.integer({ min: 1, max: 8 }) },
      ({ readers }) => readers.length < 5,
      (scene, data) => scene.subscribe(scene.group(data.group.topic, data.group.name), data.prefetch),
    ),
    define('ask for the next', 5, { reader }, someReader, (scene, data) => scene.ask(readerOf(scene, data.reader))),
    define('settle', 5, { reader, pick, verb, delayMs: fc.option(span, { freq: 2 }), outbox }, holds, (scene, data) => {
      const { one, handed } = withHeld(scene, data);
      return scene.settle(one, handed, data.verb, data.delayMs, data.verb === 'ack' ? scene.sendable(data.outbox) : []);
    }),
    define('settle again', 1, { reader, pick }, holds, (scene, data) => {
      const { one, handed } = withHeld(scene, data);
      return scene.settleAgain(one, handed);
    }),
    define('close a reader', 1, { reader }, someReader, (scene, data) =>
      scene.closeReader(readerOf(scene, data.reader)),
    ),
    define(
      'cut',
      1,
      {},
      ({ canCut }) => canCut,
      (scene) => scene.cut(),
    ),
    define(
      'kill and reopen',
      1,
      {},
      ({ canKill }) => canKill,
      (scene) => scene.killAndReopen(),
    ),
    define('pass time', 3, { ms: span }, always, (scene, { ms }) => scene.pass(ms)),
    define('list dead letters', 1, { group }, always, (scene, data) =>
      scene.checkLetters(scene.group(data.group.topic, data.group.name)),
    ),
    define('redrive', 1, { group }, always, (scene, data) =>
      scene.redrive(scene.group(data.group.topic, data.group.name)),
    ),
  ];
}

const always = (): boolean => true;
