import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type Server } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeServers } from '../../servers/index.js';
import { eventually } from './eventually.js';
import { testLink, unopenedLink } from './test-link.js';

const folder = mkdtempSync(join(tmpdir(), 'signalbox-amqp-tls-'));
const keyFile = join(folder, 'key.pem');
const certFile = join(folder, 'cert.pem');

beforeAll(() => {
  const subject = ['-subj', '/CN=broker.test', '-addext', 'subjectAltName=DNS:broker.test'];
  const files = ['-keyout', keyFile, '-out', certFile];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', ...subject, ...files], {
    stdio: 'ignore',
  });
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

await describeServers(['rabbitmq'], (_, server) => {
  let tls: Server;
  let url: string;

  beforeAll(async () => {
    // In front of the broker, so that every broker of a run is met in this way whatever its settings.
    tls = createServer({ key: readFileSync(keyFile), cert: readFileSync(certFile) }, (client) => {
      const broker = connect(server().port, server().host);
      for (const socket of [client, broker]) socket.on('error', () => undefined);
      client.pipe(broker).pipe(client);
    });
    tls.on('tlsClientError', () => undefined);
    tls.listen(0, '127.0.0.1');
    await eventually('it listens', () => tls.listening);
    url = server()
      .url.replace('amqp:', 'amqps:')
      .replace(/@[^/]*/, `@127.0.0.1:${(tls.address() as AddressInfo).port}`);
  });

  afterAll(() => void tls.close());

  test('a certificate of a CA that is given, for a name that is given, is taken', async () => {
    const { link } = await testLink(`${url}?cacertfile=${certFile}&server_name_indication=broker.test`);

    expect(link.connected).toBe(true);
    await expect(link.withChannel('look', async () => 'worked')).resolves.toBe('worked');
  });

  test('a certificate that nobody vouches for is refused', async () => {
    const { link } = unopenedLink(`${url}?server_name_indication=broker.test`);

    await expect(link.open()).rejects.toMatchObject({
      name: 'Refusal',
      code: 'auth',
      message: expect.stringContaining('is not trusted'),
    });
  });

  test('a certificate for another name is refused', async () => {
    const { link } = unopenedLink(`${url}?cacertfile=${certFile}&server_name_indication=other.test`);

    await expect(link.open()).rejects.toMatchObject({
      name: 'Refusal',
      code: 'auth',
      message: expect.stringContaining('ERR_TLS_CERT_ALTNAME_INVALID'),
    });
  });

  test('verify_none takes any certificate', async () => {
    const { link } = await testLink(`${url}?verify=verify_none`);

    expect(link.connected).toBe(true);
  });

  test('a port that does not speak TLS is said to', async () => {
    const { link } = unopenedLink(server().url.replace('amqp:', 'amqps:'));

    await expect(link.open()).rejects.toMatchObject({
      name: 'Refusal',
      code: 'invalid',
      message: expect.stringContaining('the TLS settings do not go together'),
    });
  });
});
