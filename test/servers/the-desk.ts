import { type Desk, OpenDesk } from './desk.js';
import { remoteDesk } from './desk-socket.js';

/** Where the processes of a run find the desk that they share: the path of its socket. */
export const deskVariable = 'SIGNALBOX_TEST_DESK';

let found: Desk | null = null;

/** The desk of this test run; of this process alone when no run has made one. */
export function theDesk(): Desk {
  const path = process.env[deskVariable];
  found ??= path === undefined ? new OpenDesk(process.env) : remoteDesk(path);
  return found;
}
