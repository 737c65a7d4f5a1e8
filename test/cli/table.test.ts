import { expect, test } from 'vitest';
import { colorsFor } from '../../src/cli/colors.js';
import { type Column, tableOf } from '../../src/cli/table.js';

interface Row {
  readonly place: string;
  readonly count: number;
  readonly why: string;
}

const columns: readonly Column<Row>[] = [
  { head: 'place', text: ({ place }) => place, narrow: 'start' },
  { head: 'count', text: ({ count }) => String(count), align: 'right' },
  { head: 'why', text: ({ why }) => why, narrow: 'wrap' },
];
const rows: readonly Row[] = [
  { place: 'github.example.com/lanternworks/keel', count: 7, why: 'two of many tests failed on the second machine' },
  { place: 'short', count: 12_345, why: '' },
];

function lines(columnsOfTerminal?: number, own = columns): readonly string[] {
  const output = {
    write: () => {},
    ...(columnsOfTerminal === undefined ? {} : { isTTY: true, columns: columnsOfTerminal }),
  };
  const text = tableOf(own, rows, output, colorsFor(output, { NO_COLOR: '1' }));
  expect(text.endsWith('\n')).toBe(true);
  return text.trimEnd().split('\n');
}

test('elsewhere than on a terminal nothing is cut or wrapped', () => {
  expect(lines()).toEqual([
    'place                                 count  why',
    'github.example.com/lanternworks/keel      7  two of many tests failed on the second machine',
    'short                                 12345',
  ]);
});

test.each([40, 50, 60, 80])(
  'on a terminal of %d columns it is no wider, and wrapped texts keep every word',
  (width) => {
    const narrow = lines(width);

    expect(Math.max(...narrow.map((line) => line.length))).toBeLessThanOrEqual(width);
    expect(narrow.join(' ').split(/\s+/)).toEqual(expect.arrayContaining(rows[0]?.why.split(' ') ?? []));
    expect(narrow.join('\n')).toMatch(/…\S*keel +7/);
    expect(narrow.at(-1)).toMatch(/^short +12345$/);
  },
);

test('a terminal of the width of the table changes nothing', () => {
  expect(lines(91)).toEqual(lines());
});

test('a terminal too narrow for a table gets each row a field a line, whole', () => {
  expect(lines(20)).toEqual([
    'place',
    'github.example.com/l',
    'anternworks/keel',
    'count  7',
    'why',
    'two of many tests',
    'failed on the second',
    'machine',
    '',
    'place  short',
    'count  12345',
  ]);
});

test('columns that are expendable are left out first, the least important one before', () => {
  const own = columns.map((column) =>
    column.head === 'place' ? column : { ...column, expendable: column.head === 'why' ? 2 : 1 },
  );

  expect(lines(33, own)[0]).toMatch(/^place +count +why$/);
  expect(lines(32, own)[0]).toMatch(/^place +why$/);
  expect(lines(25, own)[0]).toBe('place');
  expect(lines(11, own).slice(0, 2)).toEqual(['place', 'github.exam']);
});

test('a word that is longer than its column goes on in the next line', () => {
  const narrow = lines(40, [{ head: 'url', text: ({ place }) => place.repeat(3), narrow: 'wrap' }]);

  expect(narrow.every((line) => line.length <= 40 && !line.includes('…'))).toBe(true);
  expect(narrow.slice(1).join('')).toContain(rows[0]?.place.repeat(3));
});

test('a terminal that does not know how wide it is gets all of it', () => {
  expect(lines(0)).toEqual(lines());
});

test('what may lose its end loses that', () => {
  const narrow = lines(60, [{ ...(columns[0] as Column<Row>), narrow: 'end' }, ...columns.slice(1)]);

  expect(narrow[1]).toMatch(/^github\.exam\S*… +7 /);
});
