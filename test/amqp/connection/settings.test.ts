import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, describe, expect, test } from 'vitest';
import {
  type ConnectionParts,
  describe as describeSettings,
  settingsFromParts,
  settingsFromUrl,
} from '../../../src/queue/amqp/connection/index.js';
import { Refusal } from '../../../src/queue/driver.js';

const folder = mkdtempSync(join(tmpdir(), 'signalbox-amqp-settings-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a URL', () => {
  test('says host, port, vhost, user and password, each decoded', () => {
    const { settings } = settingsFromUrl('amqp://al%40ice:p%2Fw%3A%25@broker:5673/a%2Fb');

    expect(settings.hosts).toEqual([{ host: 'broker', port: 5673 }]);
    expect(settings.vhost).toBe('a/b');
    expect(settings.username).toBe('al@ice');
    expect(settings.password()).toBe('p/w:%');
    expect(settings.tls).toBe(null);
  });

  test.each([
    ['amqp://broker', 'broker', 5672, '/'],
    ['amqp://broker/', 'broker', 5672, '/'],
    ['amqp://broker/%2F', 'broker', 5672, '/'],
    ['amqp://broker/jobs', 'broker', 5672, 'jobs'],
    ['amqps://broker/jobs', 'broker', 5671, 'jobs'],
    ['AMQP://[::1]:5000/', '::1', 5000, '/'],
  ])('leaves out what has a default: %s', (url, host, port, vhost) => {
    const { settings } = settingsFromUrl(url);

    expect(settings.hosts).toEqual([{ host, port }]);
    expect(settings.vhost).toBe(vhost);
    expect([settings.username, settings.password()]).toEqual(['guest', 'guest']);
    expect(settings.heartbeatSeconds).toBe(10);
  });

  test('names the hosts of a cluster, tried in that order', () => {
    const { settings } = settingsFromUrl('amqp://u:p@one,two:5673,[::1]:5674/v');

    expect(settings.hosts).toEqual([
      { host: 'one', port: 5672 },
      { host: 'two', port: 5673 },
      { host: '::1', port: 5674 },
    ]);
    expect(describeSettings(settings)).toBe('amqp://one:5672,two:5673,[::1]:5674/v');
  });

  test("takes RabbitMQ's own options", () => {
    writeFileSync(join(folder, 'ca.pem'), 'the ca');
    const query = `heartbeat=7&connection_timeout=2500&verify=verify_none&server_name_indication=mq&cacertfile=${join(folder, 'ca.pem')}`;
    const { settings } = settingsFromUrl(`amqps://broker?${query}`);

    expect(settings.heartbeatSeconds).toBe(7);
    expect(settings.connectDeadlineMs).toBe(2500);
    expect(settings.tls?.()).toEqual({ rejectUnauthorized: false, servername: 'mq', ca: 'the ca' });
  });

  test('hands over the options that the caller names as its own', () => {
    const { ownOptions } = settingsFromUrl('amqp://broker?prefix=a%20b&heartbeat=5', ['prefix']);

    expect([...ownOptions]).toEqual([['prefix', 'a b']]);
  });

  test.each([
    ['an unknown option', 'amqp://u:secret@h?heartbeet=1', /heartbeet.*/],
    ['an option twice', 'amqp://u:secret@h?heartbeat=1&heartbeat=2', /twice/],
    ['an option that is no number', 'amqp://u:secret@h?heartbeat=often', /heartbeatSeconds/],
    ['TLS options without TLS', 'amqp://u:secret@h?verify=verify_none', /TLS/],
    ['another scheme', 'http://u:secret@h', /amqp/],
    ['a path of two', 'amqp://u:secret@h/a/b', /amqp/],
    ['a slash in the password', 'amqp://u:sec/ret@h', /amqp|host/],
    ['a question mark in the password', 'amqp://u:secret?x@h', /amqp|host/],
    ['a broken escape', 'amqp://u:%secret@h', /percent-encoded/],
    ['a port that is none', 'amqp://u:secret@h:99999', /host/],
    ['no host', 'amqp://u:secret@', /amqp/],
    ['a host twice, with nothing between', 'amqp://u:secret@h,,g', /host/],
    ['a vhost of over 255 bytes', `amqp://u:secret@h/${'v'.repeat(256)}`, /"vhost" has over 255 bytes/],
  ])('with %s is refused, and the password is not shown', (_, url, message) => {
    const refusal = refusalOf(() => settingsFromUrl(url));

    expect(refusal.code).toBe('invalid');
    expect(refusal.message).toMatch(message);
    expect(`${refusal.message} ${refusal.remedy} ${refusal.stack}`).not.toMatch(/secret|sec\/|ret@/);
  });
});

describe('parts', () => {
  test('are taken as they are, nothing decoded', () => {
    const settings = settingsFromParts({ host: 'h', vhost: 'a%2Fb', username: 'u', password: '%41', ssl: true });

    expect(settings.hosts).toEqual([{ host: 'h', port: 5671 }]);
    expect([settings.vhost, settings.username, settings.password()]).toEqual(['a%2Fb', 'u', '%41']);
    expect(settings.tls?.()).toEqual({});
  });

  test('may be left out altogether', () => {
    const settings = settingsFromParts({});

    expect(settings.hosts).toEqual([{ host: 'localhost', port: 5672 }]);
    expect([settings.vhost, settings.username, settings.password()]).toEqual(['/', 'guest', 'guest']);
  });

  test('name a password file, which is read at each connect and trimmed', () => {
    const passwordFile = join(folder, 'password');
    writeFileSync(passwordFile, '  old one \n');
    const settings = settingsFromParts({ username: 'u', passwordFile });
    const before = settings.password();
    writeFileSync(passwordFile, 'new one\r\n');

    expect([before, settings.password()]).toEqual(['old one', 'new one']);
  });

  test('name a password file that is missing: the error names it', () => {
    const passwordFile = join(folder, 'missing');
    const settings = settingsFromParts({ username: 'u', passwordFile });

    const refusal = refusalOf(() => settings.password());

    expect(refusal.code).toBe('invalid');
    expect(refusal.message).toContain(`"${passwordFile}" cannot be read (ENOENT)`);
  });

  test('name certificate files, which are read at each connect', () => {
    const certFile = join(folder, 'cert.pem');
    writeFileSync(certFile, 'one');
    chmodSync(certFile, 0o600);
    const settings = settingsFromParts({ tls: { certFile } });
    const before = settings.tls?.();
    writeFileSync(certFile, 'two');

    expect([before, settings.tls?.()]).toEqual([{ cert: 'one' }, { cert: 'two' }]);
  });

  test.each<[string, object, RegExp]>([
    ['an unknown part', { hots: 'h' }, /"hots"/],
    ['an unknown TLS part', { tls: { cacert: 'x' } }, /"tls\.cacert"/],
    ['TLS options without TLS', { ssl: false, tls: {} }, /"tls".*"ssl"/],
    ['host and hosts', { host: 'h', hosts: ['h'] }, /"host".*"hosts"/],
    ['no hosts', { hosts: [] }, /"hosts"/],
    ['both passwords', { password: 'x', passwordFile: '/x' }, /"passwordFile"/],
    ['a heartbeat of half a second', { heartbeatSeconds: 0.5 }, /"heartbeatSeconds"/],
    ['a port that is a text', { port: '5672' }, /"port"/],
    ['a vhost that is none', { vhost: 7 }, /"vhost"/],
    ['a vhost that is longer than AMQP has them', { vhost: 'é'.repeat(128) }, /"vhost" has over 255 bytes/],
    ['TLS that is null', { tls: null }, /"tls" is no object/],
    ['TLS that is a text', { tls: 'on' }, /"tls" is no object/],
    ['a certificate that is a number', { tls: { cert: 5 } }, /"tls\.cert" is no text/],
    ['a file that is a descriptor', { tls: { caFile: 0 } }, /"tls\.caFile" is no text/],
    ['a text for true or false', { ssl: 'false' }, /"ssl" is neither true nor false/],
    [
      'a text for true or false in TLS',
      { tls: { rejectUnauthorized: 'false' } },
      /"tls\.rejectUnauthorized" is neither/,
    ],
    ['a host that is null', { host: null }, /"host" is no text/],
    ['hosts that are null', { hosts: null }, /"hosts"/],
    ['hosts of which one is missing', { hosts: ['h', undefined] }, /a host is not/],
  ])('with %s are refused', (_, parts, message) => {
    const refusal = refusalOf(() => settingsFromParts(parts as ConnectionParts));

    expect(refusal.code).toBe('invalid');
    expect(refusal.message).toMatch(message);
  });
});

test('settings can be printed and logged: no password and no key is in them', () => {
  const settings = settingsFromParts({ username: 'u', password: 'secret', tls: { key: 'secret' } });

  expect(JSON.stringify(settings)).not.toContain('secret');
  expect(inspect(settings, { depth: 9, showHidden: true })).not.toContain('secret');
});

function refusalOf(work: () => unknown): Refusal {
  try {
    work();
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
  throw new Error('it was not refused');
}
