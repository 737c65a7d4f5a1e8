import type { Clock } from '../../clock.js';
import type { Fault, FaultCall, FaultVerb } from './plan.js';

/** One fault that was injected. */
export interface Injected {
  readonly fault: Fault['fault'];
  readonly verb: FaultVerb;
  /** On the clock of the faulty driver, epoch milliseconds. */
  readonly at: number;
  /** Place in the plan, from 0. */
  readonly index: number;
  /** Messages that the call was about; empty where it was about none. */
  readonly ids: readonly (string | null)[];
}

type KindOf<Name extends Fault['fault']> = Extract<Fault, { readonly fault: Name }>;

interface Chance {
  readonly fault: Fault;
  readonly index: number;
  readonly random: () => number;
  seen: number;
  struck: number;
}

/** Decides which call is struck by which fault of a plan, and remembers. */
export class Chances {
  readonly injected: Injected[] = [];
  readonly #clock: Clock;
  readonly #chances: readonly Chance[];
  #calm = false;

  constructor(clock: Clock, seed: number, faults: readonly Fault[]) {
    this.#clock = clock;
    this.#chances = faults.map((fault, index) => ({
      fault,
      index,
      random: randomOf(seed + 0x9e3779b9 * (index + 1)),
      seen: 0,
      struck: 0,
    }));
  }

  /** From now on nothing is injected. */
  calm(): void {
    this.#calm = true;
  }

  /** The faults of one name that strike this call, in the order of the plan; each is noted. */
  strike<Name extends Fault['fault']>(
    name: Name,
    call: FaultCall,
    which: (fault: KindOf<Name>) => boolean = () => true,
  ): readonly KindOf<Name>[] {
    if (this.#calm) return [];
    return this.#chances.flatMap((chance) => {
      const fault = chance.fault as KindOf<Name>;
      if (fault.fault !== name || ('of' in fault && fault.of !== call.verb) || !which(fault)) return [];
      if (!strikes(chance, call)) return [];
      this.injected.push({
        fault: name,
        verb: call.verb,
        at: this.#clock.now(),
        index: chance.index,
        ids: idsOf(call),
      });
      return [fault];
    });
  }
}

/** Draws for every call that matches, struck or not: what one call meets does not depend on `nth` or `times`. */
function strikes(chance: Chance, call: FaultCall): boolean {
  const { match, nth, probability, times } = chance.fault;
  if (match !== undefined && !match(call)) return false;
  chance.seen++;
  const lucky = probability !== undefined && chance.random() >= probability;
  if (lucky || !(nth === undefined || [nth].flat().includes(chance.seen))) return false;
  if (times !== undefined && chance.struck >= times) return false;
  chance.struck++;
  return true;
}

function idsOf(call: FaultCall): readonly (string | null)[] {
  if (call.verb === 'send') return call.entries.map(({ message }) => message.id);
  if (call.verb === 'receive') return call.received.map(({ message }) => message.id);
  return call.verb === 'settle' || call.verb === 'extend' ? call.ids : [];
}

/** mulberry32: 32 bits of state are plenty for a plan, and the same on every machine. In [0, 1). */
function randomOf(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
