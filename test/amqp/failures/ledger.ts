/** Who was handed a message, and when; and when its ack was taken, if it was. */
interface HandOut {
  readonly who: string;
  readonly at: number;
  ackedAt: number | null;
}

/**
 * AMQP answers nothing to an ack: written just before its channel was lost, it may not have arrived. So long before, on a busy
 * machine. The only reason for which an acked message may come again.
 */
const ackLostWithinMs = 1_000;

/** Accounts for each message: what was handed to whom, what was acked, and who lost a channel when. */
export class Ledger {
  readonly #handOuts = new Map<number, HandOut[]>();
  readonly #losses: { readonly who: string; readonly from: number; readonly until: number }[] = [];
  readonly #cutOff = new Map<string, number>();

  handed(n: number, who: string): HandOut {
    const handOut: HandOut = { who, at: performance.now(), ackedAt: null };
    this.#handOuts.set(n, [...(this.#handOuts.get(n) ?? []), handOut]);
    return handOut;
  }

  /** What `who` says does not arrive any more, and nobody has noticed. */
  cutOff(who: string): void {
    this.#cutOff.set(who, performance.now());
  }

  /** `who` knows that it has lost what it had in hand. */
  lost(who: string): void {
    const now = performance.now();
    this.#losses.push({ who, from: (this.#cutOff.get(who) ?? now) - ackLostWithinMs, until: now });
    this.#cutOff.delete(who);
  }

  /** Which of these were handed to nobody who acked them. */
  unacked(all: Iterable<number>): readonly number[] {
    return [...all].filter((n) => !(this.#handOuts.get(n) ?? []).some(({ ackedAt }) => ackedAt !== null));
  }

  /** What came again after its ack was taken, although no channel was lost at that time. */
  get unexplained(): readonly string[] {
    return [...this.#handOuts].flatMap(([n, all]) =>
      all.flatMap(({ who, ackedAt }, index) => {
        const again = all.slice(index + 1).find(({ at }) => ackedAt !== null && at > ackedAt);
        if (ackedAt === null || again === undefined || this.#mayBeLost(who, ackedAt)) return [];
        return [`${n}: acked by ${who}, and handed to ${again.who} ${Math.round(again.at - ackedAt)} ms later`];
      }),
    );
  }

  #mayBeLost(who: string, ackedAt: number): boolean {
    return this.#losses.some((loss) => loss.who === who && loss.from <= ackedAt && ackedAt <= loss.until);
  }
}
