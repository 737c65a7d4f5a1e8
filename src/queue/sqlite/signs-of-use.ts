import { ask } from '../../sql/sqlite-steps.js';
import type { SignsOfUse } from '../driver.js';
import type { Client } from './client.js';
import { holders, isGone, isSilent } from './holders.js';

/** See `DriverAdmin.signsOfUse`. Whoever ever claimed a message is a holder; places are given to what is published, tokens to what is handed out. */
export async function signsOfUse({ file }: Client): Promise<SignsOfUse> {
  const { known, state } = await file.read(function* () {
    const known = yield* ask(holders);
    const [state] = yield* ask('select last_place, last_token from {state}');
    return { known, state };
  });
  return {
    others: known
      .filter((row) => !isGone(row) && !isSilent(row, Date.now()))
      .map(({ pid, machine }) => `process ${pid} of ${String(machine).split(' ')[0]} consumes it`),
    counter: `${state?.last_place} ${state?.last_token}`,
  };
}
