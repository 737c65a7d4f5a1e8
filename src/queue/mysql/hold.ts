import type { KnownGroup } from './catalogue.js';

/**
 * One hand-out, and its receipt: the row, and the claim that the row must still belong to. `live` is what this process knows;
 * the row's token and lease are what counts, and every statement that ends or extends a hold looks at both.
 */
export class Hold {
  #live = true;
  /** Its reader is told when it is over. */
  onEnd: () => void = () => {};

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
