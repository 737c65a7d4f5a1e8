import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { maskUrl } from '../../src/cli/config/mask-url.js';
import { flagName } from '../../src/cli/config/setting.js';
import { allSettings } from '../../src/cli/config/settings.js';
import { populated } from './populated.js';
import { cli, newUrl, type WorldOptions } from './world.js';

const folders: string[] = [];
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'signalbox-config-'));
  folders.push(folder);
});
afterAll(() => {
  for (const each of folders) rmSync(each, { recursive: true, force: true });
});

function writeConfig(content: unknown, name = 'signalbox.config.json'): string {
  const path = join(folder, name);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

interface Line {
  readonly setting: string;
  readonly value: unknown;
  readonly from: string;
  readonly source: string | null;
  readonly hides: readonly string[];
}

/** What `signalbox config` says is in force. */
async function inForce(flags: readonly string[] = [], options: WorldOptions = {}) {
  const { code, stderr, world } = await cli(['config', '--json', ...flags], { folder, ...options });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const { file, settings } = world.json as { file: string | null; settings: readonly Line[] };
  const line = (name: string): Line | undefined => settings.find(({ setting }) => setting === name);
  return { file, settings, line };
}

describe('what is in force', () => {
  test('is a default where nothing is said, and the queue is a file of the working folder', async () => {
    const { file, settings, line } = await inForce();

    expect(file).toBeNull();
    expect(settings.map(({ setting }) => setting)).toEqual(allSettings.map(({ key }) => key));
    expect(new Set(settings.map(({ from }) => from))).toEqual(new Set(['default']));
    expect(line('queue')?.value).toBe('sqlite:.signalbox/queue.db');
    expect(line('store')?.value).toBe('sqlite:.signalbox/queue.db');
  });

  test('is the flag before the environment before the file before the default, and what is hidden is named', async () => {
    writeConfig({ concurrency: 2, pollRunningMs: 20, stopWithinMs: 30 });
    const env = { SIGNALBOX_CONCURRENCY: '3', SIGNALBOX_POLL_RUNNING_MS: '30' };

    const { line, file } = await inForce(['--concurrency', '4'], { env });

    const name = 'signalbox.config.json';
    expect(file).toBe(name);
    expect(line('concurrency')).toEqual({
      ...{ setting: 'concurrency', value: 4, from: 'flag', source: '--concurrency' },
      hides: ['SIGNALBOX_CONCURRENCY', name],
    });
    expect(line('pollRunningMs')).toMatchObject({
      value: 30,
      from: 'environment',
      source: 'SIGNALBOX_POLL_RUNNING_MS',
    });
    expect(line('stopWithinMs')).toMatchObject({ value: 30, from: 'file', source: name, hides: [] });
    expect(line('deadlineMs')).toMatchObject({ value: 21_600_000, from: 'default', source: null });
  });

  test('an empty variable is one that is not set', async () => {
    const { line } = await inForce([], { env: { QUEUE_URL: '', AMQP_QUEUE: '', LOG_JSON: '' } });

    expect(line('queue')?.from).toBe('default');
    expect(line('amqp.queue')?.from).toBe('default');
  });

  test.each([
    ['QUEUE_URL', 'mysql://db.example.org/builds', 'queue'],
    ['AMQP_URL', 'amqp://127.0.0.1:5672/%2f', 'queue'],
    ['AMQP_EXCHANGE', 'solstice.jobs', 'amqp.exchange'],
    ['AMQP_QUEUE', 'solstice.jobs.v1', 'amqp.queue'],
    ['AMQP_ROUTING_KEY', 'jobrequest.v1', 'amqp.routingKey'],
    ['AMQP_DLX', 'solstice.dlx', 'amqp.dlx'],
    ['AMQP_DLQ', 'solstice.jobs.v1.dlq', 'amqp.dlq'],
    ['AMQP_PREFETCH', '64', 'prefetch'],
    ['LOG_LEVEL', 'debug', 'logLevel'],
    ['LOG_JSON', '1', 'logJson'],
  ])('%s of the environment is read, and its flag of the same meaning', async (name, value, setting) => {
    const flag = `--${name.toLowerCase().replaceAll('_', '-')}`.replace('--queue-url', '--queue');

    const byEnvironment = (await inForce([], { env: { [name]: value } })).line(setting);
    const byFlag = (await inForce([flag, value])).line(setting);

    expect(byEnvironment).toMatchObject({ from: 'environment', source: name });
    expect(byFlag).toMatchObject({ from: 'flag', source: flag });
    expect(String(byEnvironment?.value)).toBe(value.replace(/^1$/, 'true'));
    expect(byFlag?.value).toEqual(byEnvironment?.value);
  });

  test('builds are kept with the queue, with RabbitMQ in a file, and elsewhere where it is said', async () => {
    const storeOf = async (...flags: readonly string[]) => (await inForce(flags)).line('store')?.value;

    expect(await storeOf('--queue', 'mariadb://db/builds')).toBe('mariadb://db/builds');
    expect(await storeOf('--queue', 'amqp://broker/ci')).toBe('sqlite:.signalbox/builds.db');
    expect(await storeOf('--queue', 'amqp://broker/ci', '--store', 'mysql://db/builds')).toBe('mysql://db/builds');
  });

  test('is printed as a table that names where each value came from', async () => {
    const { code, stdout, stderr } = await cli(['config', '--runner', 'scripted'], { folder });

    expect(code).toBe(0);
    expect(stdout).toMatch(/^setting +value +from +hides\n/);
    expect(stdout).toMatch(/\nrunner +scripted +--runner\n/);
    expect(stdout).toMatch(/\namqp.dlq +our own +default\n/);
    expect(stderr).toBe('no file of settings: there is no signalbox.config.json here\n');
  });

  test('shows no password, wherever it came from', async () => {
    const url = 'mysql://app:s3c:r@t@db.example.org/builds';
    writeConfig({ store: url });

    for (const flags of [[], ['--json']]) {
      const { stdout, stderr } = await cli(['config', ...flags], { folder, env: { QUEUE_URL: url } });

      expect(stdout).toMatch(/mysql:\/\/app:\*\*\*@db\.example\.org\/builds/);
      expect(stdout + stderr).not.toMatch(/s3c|r@t/);
    }
  });
});

test.each([
  ['amqp://broker/ci', 'amqp://broker/ci'],
  ['amqp://guest@broker:5672/ci', 'amqp://guest@broker:5672/ci'],
  ['amqps://app:a:b@one,two:5671/%2f?heartbeat=5', 'amqps://app:***@one,two:5671/%2f?heartbeat=5'],
  ['mysql://app:p@ss/w?rd@db/builds', 'mysql://app:***@db/builds'],
  ['mysql://app@myserver:s3cret@myserver.mysql.example.org/builds', 'mysql://***@myserver.mysql.example.org/builds'],
  ['"mysql://app:s3cret@db/builds"', '"mysql://app:***@db/builds"'],
  [' mysql://app:s3cret@db/b', ' mysql://app:***@db/b'],
  ['mysql:app:s3cret@db/b', 'mysql:app:***@db/b'],
  ['mysql:/app:s3cret@db/b', 'mysql:***@db/b'],
  ['mysql//app:s3cret@db/b', '***@db/b'],
  ['app:s3cret@db/b', '***@db/b'],
  ['mysql://app/x:s3cret@h/b', 'mysql://***@h/b'],
  ['mysql://app:s3 c"ret@db:3306/b', 'mysql://app:***@db:3306/b'],
  ['mysql://app:s3cret%40db/b', 'mysql://app:***'],
  ['mysql://app%3As3cret@db/b', 'mysql://***@db/b'],
  ['mysql://[::1]:3306/b', 'mysql://[::1]:3306/b'],
  ['amqp://one:5671,two:5671/ci', 'amqp://one:5671,two:5671/ci'],
  ['mysql://app[:s3cret', 'mysql://app[:***'],
  ['mysql://db/builds?ssl=true&password=s3&cret', 'mysql://db/builds?ssl=true&password=***'],
  ['sqlite:.signalbox/queue.db', 'sqlite:.signalbox/queue.db'],
  ['sqlite:/home/me@work/tokens/queue.db?leaseMs=3000', 'sqlite:/home/me@work/tokens/queue.db?leaseMs=3000'],
  ['sqlite://app:s3cret@db/b', 'sqlite://app:***@db/b'],
])('%s is shown as %s', (url, shown) => expect(maskUrl(url)).toBe(shown));

/** Nothing of it stands in the rest of these URLs. */
const secrets = fc
  .string({ unit: 'grapheme', minLength: 0, maxLength: 12 })
  .map((text) => `S3${text}CRET`)
  .filter((secret) => !/["\\]/.test(secret));

describe('a password is shown nowhere, whatever is in it and however the URL is written', () => {
  const spellings: readonly ((secret: string) => string)[] = [
    (secret) => `mysql://app:${secret}@db.example.org:3306/builds?ssl=true`,
    (secret) => `amqps://app:${secret}@one,two/%2f`,
    (secret) => `mysql://app@db:${secret}@db.example.org/builds`,
    (secret) => `mysql://app/x:${secret}@db/builds`,
    (secret) => `"mysql://app:${secret}@db/builds"`,
    (secret) => `'mysql://app:${secret}@db/builds'`,
    (secret) => ` \tmysql://app:${secret}@db/builds`,
    (secret) => `mysql:app:${secret}@db/builds`,
    (secret) => `mysql:/app:${secret}@db/builds`,
    (secret) => `mysql//app:${secret}@db/builds`,
    (secret) => `MYSQL:///app:${secret}@db/builds`,
    (secret) => `app:${secret}@db/builds`,
    (secret) => `://app:${secret}@db/builds`,
    (secret) => `sqlite:app:${secret}@db/builds`,
    (secret) => `postgres://:${secret}@db/builds`,
    (secret) => `mysql://app:${secret}%40db/builds`,
    (secret) => `mysql://db/builds?ssl=true&password=${secret}&connections=3`,
    (secret) => `host=db;user=app;pwd=${secret}`,
  ];
  const urls = fc.tuple(fc.constantFrom(...spellings), secrets);

  test('where it is masked', () => {
    fc.assert(
      fc.property(urls, ([spell, secret]) => !maskUrl(spell(secret)).includes(secret)),
      { numRuns: 2_000 },
    );
  });

  test('by config, whether it takes the URL or refuses it', async () => {
    await fc.assert(
      fc.asyncProperty(urls, async ([spell, secret]) => {
        const { stdout, stderr } = await cli(['config', '--verbose'], { folder, env: { QUEUE_URL: spell(secret) } });

        expect(stdout + stderr).not.toContain('CRET');
      }),
      { numRuns: 100 },
    );
  });

  test.each([
    ['an unknown command', (url: string) => [url]],
    ['an unknown flag', (url: string) => ['topics', `--queu=${url}`]],
    ['an unknown flag of one letter', (url: string) => ['topics', `-q${url}`]],
    ['a value of a flag', (url: string) => ['dead-letters', 'list', 'jobs', '--limit', url]],
    ['a value behind an equals sign', (url: string) => ['orchestrate', `--runner=${url}`]],
    ['a URL of another backend', (url: string) => ['config', '--amqp-url', url]],
    ['a topic', (url: string) => ['dead-letters', 'list', url, '--queue', newUrl()]],
    ['a topic of tail', (url: string) => ['tail', url, '--queue', newUrl()]],
    ['a group', (url: string) => ['pause', 'jobs', url, '--queue', newUrl()]],
    ['a file', (url: string) => ['demo', '--jobs', url]],
    ['a file of settings', (url: string) => ['topics', '--config', url]],
    ['a repository', (url: string) => ['enqueue', '--repo-url', url, '--commit-sha', url, '--dry-run']],
  ])('by an error about %s', async (_, argvOf) => {
    await fc.assert(
      fc.asyncProperty(urls, async ([spell, secret]) => {
        const { stdout, stderr } = await cli([...argvOf(spell(secret)), '--verbose'], { folder });

        expect(stdout + stderr).not.toBe('');
        expect(stdout + stderr).not.toContain('CRET');
      }),
      { numRuns: 50 },
    );
  });
});

test('ids and flags that look like no URL are repeated as they are', async () => {
  const { stderr } = await cli([
    'dead-letters',
    'show',
    'images',
    'mail-7@example.org:1',
    '--queue',
    await populated(0),
  ]);
  const unknown = await cli(['topics', '--lmit', '--queue', newUrl()]);

  expect(stderr).toContain('"mail-7@example.org:1"');
  expect(unknown.stderr).toContain("'--lmit'");
});

test.each([
  ['no scheme', 'nonsense', /the URL has no scheme; use one of memory:, /],
  ['nothing in it', '', /the URL has no scheme/],
  ['an unknown scheme', 'kafka://host', /nothing is known about the scheme "kafka:"/],
  ['a part that cannot be', 'memory:a b', /a memory URL is/],
])('config refuses a queue with %s, as the other commands do', async (_, queue, message) => {
  for (const options of [{ flags: ['--queue', queue] }, { file: { queue } }]) {
    writeConfig(options.file ?? {});
    const { code, stdout, stderr } = await cli(['config', ...(options.flags ?? [])], { folder });

    expect(stderr).toMatch(message);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  }
});

test('config refuses a place for builds that is none', async () => {
  const { code, stderr } = await cli(['config', '--store', 'amqp://broker/ci'], { folder });

  expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringMatching(/builds cannot be kept in "amqp:"/) });
});

describe('every command', () => {
  test('takes its queue from the file', async () => {
    writeConfig({ queue: newUrl() });

    const { code, stderr } = await cli(['topics'], { folder });

    expect(code).toBe(0);
    expect(stderr).toMatch(/^no topics: this queue lives in one process/);
  });

  test('takes another file from --config before CONFIG_PATH', async () => {
    const path = writeConfig({ runner: 'scripted' }, 'one.json');
    writeConfig({ runner: 'noop' }, 'two.json');
    const env = { CONFIG_PATH: 'two.json' };

    expect((await inForce(['--config', path], { env })).line('runner')).toMatchObject({
      value: 'scripted',
      source: path,
    });
    expect((await inForce([], { env })).line('runner')).toMatchObject({ value: 'noop', source: 'two.json' });
  });

  test('orchestrate serves what the file and the environment say, not the flags alone', async () => {
    writeConfig({ queue: 'memory:', runner: 'scripted', pollRunningMs: 20, deadlineMs: 400, prefetch: 1 });

    const { code, world } = await cli(['orchestrate', '--jobs', 'examples/jobs.jsonl', '--until-idle', '--json'], {
      folder,
      env: { SIGNALBOX_POLL_ACCEPTED_MS: '20', LOG_LEVEL: 'warn' },
    });

    expect(code).toBe(0);
    const { runner, builds } = world.json as { runner: string; builds: { reason: string; polls: number }[] };
    expect(runner).toBe('scripted');
    expect(new Set(builds.map(({ reason }) => reason))).toEqual(new Set(['timed out']));
    expect(Math.max(...builds.map(({ polls }) => polls))).toBeGreaterThan(1);
    expect(world.logged.every(({ level }) => Number(level) >= 40)).toBe(true);
  });

  test.each([
    ['no JSON', '{\n"queue": "memory:x",\n}', /is no JSON.*; write one object/],
    ['a list', '[]', /what it holds must be an object of settings; correct it/],
    [
      'an unknown key',
      { quue: 'memory:x' },
      /"quue" is no setting; correct its name or take it out: there are queue, /,
    ],
    ['an unknown key inside', { amqp: { qeue: 'x' } }, /"amqp.qeue" is no setting; .*: there are amqp.exchange, /],
    [
      'a number that is too large',
      { concurrency: 1_001 },
      /"concurrency" must be a whole number from 1 to 1000; correct it/,
    ],
    ['a text for a number', { prefetch: '64' }, /"prefetch" must be a whole number from 1 to 65535; correct it/],
    ['a choice that there is not', { runner: 'docker' }, /"runner" must be one of noop, scripted; correct it/],
    ['null', { queue: null }, /"queue" must be a URL; correct it/],
  ])(
    'refuses a file with %s, naming the file and the key, also where the command does not use it',
    async (_, content, message) => {
      writeConfig(content);

      const { code, stdout, stderr } = await cli(['topics'], { folder });

      expect(stderr).toMatch(message);
      expect(stderr).toMatch(/^signalbox: cannot read the configuration "signalbox\.config\.json": [^\n]*\n$/);
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    },
  );

  test('refuses a file that was named and is not there', async () => {
    const byFlag = await cli(['topics', '--config', 'nowhere.json'], { folder });
    const byEnvironment = await cli(['topics'], { folder, env: { CONFIG_PATH: 'nowhere.json' } });

    expect(byFlag).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/"nowhere.json": there is no such file; .*--config/),
    });
    expect(byEnvironment).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/there is no such file; .*CONFIG_PATH/),
    });
  });

  test('shows nothing of a broken file, which may hold a password', async () => {
    writeConfig('{"queue": "mysql://app:s3cret@db/builds" x');

    expect((await cli(['topics', '--verbose'], { folder })).stderr).not.toContain('s3cret');
  });

  test.each([
    [
      { SIGNALBOX_CONCURRENCY: '0' },
      /SIGNALBOX_CONCURRENCY must be a whole number from 1 to 1000; correct it, or unset it/,
    ],
    [{ LOG_JSON: 'yes' }, /LOG_JSON must be 1, 0, true or false/],
    [{ LOG_LEVEL: 'loud' }, /LOG_LEVEL must be one of trace, debug/],
    [{ AMQP_URL: 'mysql://app:s3cret@db/builds' }, /AMQP_URL must be a URL of RabbitMQ/],
    [{ AMQP_URL: 'amqp://one/a', QUEUE_URL: 'amqp://two/a' }, /QUEUE_URL and AMQP_URL say different things/],
  ])('refuses %j and shows no value', async (env, message) => {
    const { code, stdout, stderr } = await cli(['config'], { folder, env });

    expect(stderr).toMatch(message);
    expect(stderr).not.toContain('s3cret');
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  });

  test('two names of one setting that agree are no matter', async () => {
    const url = 'amqp://broker/ci';

    expect((await inForce([], { env: { AMQP_URL: url, QUEUE_URL: url } })).line('queue')).toMatchObject({ value: url });
  });

  test.each([
    [{ AMQP_URL: 'amqp://broker/ci' }, 'amqp://broker/ci', 'solstice.jobs.v1', 64],
    [{ AMQP_QUEUE: 'jobs.v2' }, 'amqp://127.0.0.1:5672/%2f', 'jobs.v2', 64],
    [{ AMQP_QUEUE: 'jobs.v2', QUEUE_URL: 'amqp://broker/ci', AMQP_PREFETCH: '7' }, 'amqp://broker/ci', 'jobs.v2', 7],
    [{ QUEUE_URL: 'amqp://broker/ci' }, 'amqp://broker/ci', null, 256],
  ])('with %j RabbitMQ is used as Solstice does it, or as is our own', async (env, queue, name, prefetch) => {
    const { line } = await inForce([], { env });

    expect(line('queue')?.value).toBe(queue);
    expect(line('amqp.queue')?.value).toBe(name);
    expect(line('amqp.dlq')?.value).toBe(name === null ? null : 'solstice.jobs.v1.dlq');
    expect(line('prefetch')?.value).toBe(prefetch);
  });

  test('names of RabbitMQ on another backend are an error, and not ignored', async () => {
    const { code, stderr } = await cli(['topics', '--queue', newUrl()], { folder, env: { AMQP_QUEUE: 'jobs.v1' } });

    expect(code).toBe(2);
    expect(stderr).toMatch(/AMQP_QUEUE gives names of RabbitMQ, and the queue is on another backend/);
  });
});

test('the prefetch that is configured is that of every topic', async () => {
  const argv = ['orchestrate', '--queue', 'memory:', '--jobs', 'examples/jobs.jsonl', '--until-idle'];
  const { world } = await cli([...argv, '--poll-accepted-ms', '1'], { folder, env: { AMQP_PREFETCH: '7' } });

  const subscribed = world.logged.filter(({ msg }) => msg === 'subscribed');
  expect(subscribed.map(({ prefetch }) => prefetch)).toEqual([7, 7, 7, 7, 7]);
});

test('logs are plain lines on a terminal, JSON elsewhere, and what LOG_JSON says everywhere', async () => {
  const argv = [
    'orchestrate',
    '--queue',
    'memory:',
    '--jobs',
    'examples/jobs.jsonl',
    '--until-idle',
    '--poll-accepted-ms',
    '1',
  ];
  const firstLine = async (options: WorldOptions) => (await cli(argv, { folder, ...options })).stderr.split('\n')[0];

  expect(await firstLine({ terminal: 80 })).toMatch(/^\d\d:\d\d:\d\d\.\d{3} info {2}\S.* topics=\[/);
  expect(await firstLine({})).toMatch(/^\{.*\}$/);
  expect(await firstLine({ terminal: 80, env: { LOG_JSON: '1' } })).toMatch(/^\{.*\}$/);
  expect(await firstLine({ env: { LOG_JSON: '0' } })).toMatch(/^\d\d:/);
});

test('the documentation has every setting with its flags, variables and default', () => {
  const documentation = readFileSync(new URL('../../docs/command-line.md', import.meta.url), 'utf8');

  for (const { key, flags, environment, byDefault, defaultText } of allSettings) {
    const names = (sources: readonly { readonly name: string }[]) =>
      sources.map(({ name }) => `\`${flagName(name)}\``).join(', ');
    const standing = defaultText ?? `\`${String(byDefault)}\``;
    expect(documentation).toContain(`| \`${key}\` | ${names(flags)} | ${names(environment)} | ${standing} |`);
  }
});

test('the prefetch has a variable like every other setting of builds', async () => {
  expect((await inForce([], { env: { SIGNALBOX_PREFETCH: '3' } })).line('prefetch')).toMatchObject({
    value: 3,
    from: 'environment',
    source: 'SIGNALBOX_PREFETCH',
  });
});
