import type { KnownGroup } from './catalogue.js';

/**
 * One hand-out, and its receipt: the row, and the claim that the row must still belong to. `live` is what this process knows;
 * the row's token and lease are what counts, and every statement that ends or extends a hold looks at both.
 */
export class Hold {
  #live = true;
  onEnd: () => void = () => {};
  onLost: () => void = () => {};

  constructor(
    readonly id: number,
    readonly token: number,
    readonly group: KnownGroup,
  ) {}

  get live(): boolean {
    return this.#live;
  }

  /** It was settled, lost, or given up. */
  end(): void {
    this.#live = false;
    this.onEnd();
  }

  /** It was lost, and its reader does not know it yet. */
  lose(): void {
    if (!this.#live) return;
    this.end();
    this.onLost();
  }
}

/** All that one driver has in hand, by row. */
export class Holds {
  readonly #byRow = new Map<number, Hold>();

  /**
   * Takes a hold in; `onEnd` is called when it is over. A row that was claimed again while an earlier hold of it seemed to
   * last says that the earlier one was lost, before any extension does: `onLost` of that one is called.
   */
  add(hold: Hold, onEnd: () => void, onLost: () => void): void {
    const before = this.#byRow.get(hold.id);
    before?.lose();
    this.#byRow.set(hold.id, hold);
    hold.onEnd = () => {
      if (this.#byRow.get(hold.id) === hold) this.#byRow.delete(hold.id);
      onEnd();
    };
    hold.onLost = onLost;
  }
}

/** Row ids by claim, as `held` of the statements wants them. */
export function claimsOf(holds: Iterable<Hold>): Map<number, number[]> {
  const claims = new Map<number, number[]>();
  for (const { id, token } of holds) {
    const ids = claims.get(token);
    if (ids === undefined) claims.set(token, [id]);
    else ids.push(id);
  }
  return claims;
}
