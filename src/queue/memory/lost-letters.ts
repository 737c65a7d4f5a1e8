import { byDueTime, type Copy } from './copy.js';
import type { Group } from './group.js';
import { Heap } from './heap.js';
import { Letters } from './letters.js';

interface Stranded {
  readonly copy: Copy;
  readonly topic: string;
  readonly group: string;
}

/**
 * Delayed copies whose group was removed: until they fall due they wait for the group to come back, and
 * then they are lost letters. Nobody watches for that moment: it is made up for whenever somebody looks.
 */
export class LostLetters {
  readonly #stranded = new Heap<Stranded>((one, other) => byDueTime(one.copy, other.copy));
  readonly #letters = new Letters();

  strand(topic: string, group: string, copies: readonly Copy[]): void {
    for (const copy of copies) this.#stranded.push({ copy, topic, group });
  }

  /** Gives a group that came back what is not yet lost. */
  returnTo(topic: string, group: Group, now: number): void {
    this.#bury(now);
    for (const stranded of this.#stranded.drain()) {
      if (stranded.topic === topic && stranded.group === group.name) group.adopt(stranded.copy);
      else this.#stranded.push(stranded);
    }
  }

  letters(now: number): Letters {
    this.#bury(now);
    return this.#letters;
  }

  #bury(now: number): void {
    for (;;) {
      const next = this.#stranded.peek();
      if (next === undefined || next.copy.dueAt > now) return;
      this.#stranded.pop();
      const { copy, topic, group } = next;
      const { message, lane, dueAt: buriedAt } = copy;
      this.#letters.bury({ message, lane, topic, group, death: null, buriedAt, expiresAt: Number.POSITIVE_INFINITY });
    }
  }
}
