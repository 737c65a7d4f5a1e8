import { ask, type Steps } from '../../sql/sqlite-steps.js';

/** Takes `count` places at the end of all lines and answers the first of them. */
export function* nextPlaces(count: number): Steps<number> {
  const [row] = yield* ask('update {state} set last_place = last_place + ? returning last_place', count);
  return Number(row?.last_place) - count + 1;
}

/** A token that no claim has had before. */
export function* nextToken(): Steps<number> {
  const [row] = yield* ask('update {state} set last_token = last_token + 1 returning last_token');
  return Number(row?.last_token);
}
