import { expect, test } from 'vitest';
import { Chain, type Linked } from '../../../src/queue/amqp/connection/chain.js';

class Item implements Linked<Item> {
  isLinked = false;
  before: Item | null = null;
  after: Item | null = null;
  constructor(readonly name: string) {}
}

const items = (): readonly [Item, Item, Item] => [new Item('a'), new Item('b'), new Item('c')];
const namesOf = (chain: Chain<Item>): string => [...chain].map(({ name }) => name).join('');

test('a chain keeps the order in which things came, whichever leaves', () => {
  for (const leaving of [0, 1, 2] as const) {
    const all = items();
    const chain = new Chain<Item>();
    for (const item of all) chain.add(item);

    const answers = [chain.remove(all[leaving]), chain.remove(all[leaving])];

    expect(answers).toEqual([true, false]);
    expect(namesOf(chain)).toBe('abc'.replace(all[leaving].name, ''));
    expect(chain.size).toBe(2);
    chain.add(all[leaving]);
    expect(namesOf(chain)).toBe(`${'abc'.replace(all[leaving].name, '')}${all[leaving].name}`);
  }
});

test('what is put back is the oldest again, also in an empty chain', () => {
  const [a, b] = items();
  const chain = new Chain<Item>();
  chain.putBack(b);
  chain.putBack(a);

  expect(chain.oldest).toBe(a);
  expect(namesOf(chain)).toBe('ab');
  chain.add(new Item('c'));
  expect(namesOf(chain)).toBe('abc');
});

test('what has left holds on to nothing, or it would keep what came later alive', () => {
  const all = items();
  const chain = new Chain<Item>();
  for (const item of all) chain.add(item);

  expect(chain.removeAll()).toEqual(all);
  expect(all.map(({ isLinked, before, after }) => [isLinked, before, after])).toEqual(
    all.map(() => [false, null, null]),
  );
  expect([chain.oldest, chain.size]).toEqual([null, 0]);
});
