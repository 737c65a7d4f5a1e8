import { connect, type Socket } from 'node:net';

/** A socket to a name with two addresses, at neither of which anything listens: its error is one for both. */
export function socketToNowhere(): Socket {
  return connect({
    ...{ host: 'localhost', port: 1 },
    lookup: (_, __, found) =>
      found(null, [
        { address: '127.0.0.1', family: 4 },
        { address: '127.0.0.2', family: 4 },
      ]),
  });
}
