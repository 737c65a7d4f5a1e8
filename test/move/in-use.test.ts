import { expect, test } from 'vitest';
import { useBetween } from '../../src/queue/move-in-use.js';
import type { Look } from '../../src/queue/move-look.js';

interface Seen {
  readonly ready?: number;
  readonly delayed?: number;
  readonly inHand?: number;
  readonly inTransit?: number;
  readonly inTransitBefore?: number;
  readonly others?: readonly string[];
  readonly counter?: string | null;
}

function look({
  ready = 5,
  delayed = 0,
  inHand = 0,
  inTransit = 0,
  inTransitBefore = inTransit,
  others = [],
  counter = '7',
}: Seen = {}): Look {
  const depth = { ready, delayed, inHand, dead: 0, oldestAgeMs: 0, paused: false };
  return {
    groups: [{ topic: 'jobs', group: 'default', depth }],
    left: { waiting: ready + delayed, inTransit, inHand, lostLetters: 0 },
    signs: { others, counter },
    inTransitBefore,
  };
}

test.each([
  ['what stays as it is', look(), look()],
  ['what falls due in a group', look({ ready: 5, delayed: 2 }), look({ ready: 7 })],
  ['what falls due on its way', look({ inTransit: 2 }), look({ ready: 7 })],
  ['what fell due and has not arrived', look({ inTransit: 2 }), look()],
  ['what fell due while it was counted first', look({ inTransitBefore: 1 }), look({ ready: 6 })],
  ['what fell due while it was counted again', look({ inTransit: 1 }), look({ ready: 6, inTransitBefore: 1 })],
  ['who looked once', look({ others: ['a'] }), look({ others: ['b'] })],
  ['a backend that counts nothing', look({ counter: null }), look({ counter: null })],
])('%s is no use', (_, before, after) => {
  expect(useBetween(before, after)).toBeNull();
});

test.each([
  ['messages in hand', look(), look({ inHand: 1, ready: 4 }), /1 messages in hand/],
  ['more messages', look(), look({ ready: 6 }), /had 5 messages and has 6/],
  ['fewer messages', look(), look({ ready: 4 }), /had 5 messages and has 4/],
  ['more than fell due', look({ inTransit: 2 }), look({ ready: 8 }), /had 5 messages and has 8/],
  ['fewer, though something fell due', look({ inTransit: 2 }), look({ inTransit: 1, ready: 3 }), /has 3 now/],
  ['more that is delayed', look({ inTransit: 2 }), look({ inTransit: 3 }), /1 delayed messages were published/],
  ['as many that come as go', look(), look({ counter: '8' }), /published or handed out/],
  ['somebody who stays', look({ others: ['a', 'b'] }), look({ others: ['b'] }), /^b$/],
])('%s: the queue is in use', (_, before, after, what) => {
  expect(useBetween(before, after)).toMatch(what);
});
