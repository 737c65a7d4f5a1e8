import { ask } from '../../sql/sqlite-steps.js';
import type { SignsOfUse } from '../driver.js';
import type { Client } from './client.js';
import { isGone, otherHolders } from './holders.js';

/** See `DriverAdmin.signsOfUse`. Places are given to what is published, tokens to what is handed out. */
export async function signsOfUse({ file, holderId }: Client): Promise<SignsOfUse> {
  const { holders, state } = await file.read(function* () {
    const holders = yield* ask(otherHolders, holderId);
    const [state] = yield* ask('select last_place, last_token from {state}');
    return { holders, state };
  });
  return {
    others: holders
      .filter((row) => !isGone(row))
      .map(({ pid, machine }) => `process ${pid} of ${String(machine).split(' ')[0]} has the file open`),
    counter: `${state?.last_place} ${state?.last_token}`,
  };
}
