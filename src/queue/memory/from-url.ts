import { Refusal } from '../driver.js';
import type { MemoryDriver } from './driver.js';
import { memory, memoryStore } from './memory.js';
import type { MemoryStore } from './store.js';

/** Stores that were opened by name, for as long as this process lives. */
const named = new Map<string, MemoryStore>();

/** `memory:` is a store of its own; `memory:NAME` is shared by everybody in this process who uses the name. */
export function memoryFromUrl(url: string): MemoryDriver {
  const name = /^memory:(?:\/\/)?([A-Za-z0-9._-]*)$/i.exec(url)?.[1];
  if (name === undefined) {
    throw new Refusal(
      'invalid',
      'a memory URL is "memory:" or "memory:NAME"',
      'use letters, digits, dots, dashes and underscores for the name',
    );
  }
  if (name === '') return memory();
  const store = named.get(name) ?? memoryStore();
  named.set(name, store);
  return memory({ store });
}
