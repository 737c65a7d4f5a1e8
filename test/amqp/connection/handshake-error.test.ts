import { once } from 'node:events';
import { expect, test } from 'vitest';
import { handshakeError } from '../../../src/queue/amqp/connection/handshake-error.js';
import { settingsFromUrl } from '../../../src/queue/amqp/connection/index.js';
import { socketToNowhere } from '../../servers/nowhere.js';

test('of a host with several addresses, none of which answers, each is said', async () => {
  const { settings } = settingsFromUrl('amqp://localhost:1');
  const [error] = await once(socketToNowhere(), 'error');

  expect(handshakeError(error, { host: 'localhost', port: 1 }, settings)).toMatchObject({
    code: 'unavailable',
    message: 'no connection to localhost:1: connect ECONNREFUSED 127.0.0.1:1, connect ECONNREFUSED 127.0.0.2:1',
  });
});
