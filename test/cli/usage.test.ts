import { describe, expect, test } from 'vitest';
import { cli, newUrl } from './world.js';

const commands = [
  ['demo'],
  ['orchestrate'],
  ['enqueue'],
  ['topics'],
  ['topology'],
  ['dead-letters'],
  ['dead-letters', 'list'],
  ['dead-letters', 'show'],
  ['dead-letters', 'redrive'],
  ['dead-letters', 'purge'],
  ['config'],
  ['migrate'],
  ['conformance'],
];
const enqueue = ['enqueue', '--repo-url', 'https://git.example.org/tern/compass.git', '--commit-sha', 'c1aecb3'];

describe('help', () => {
  test.each([[], ...commands])(
    'signalbox %s %s --help has an example and the exit codes, on stdout',
    async (...argv) => {
      const { code, stdout, stderr } = await cli([...argv, '--help']);

      expect(code).toBe(0);
      expect(stdout).toMatch(/Examples?:\n {2}\$ (signalbox|npm start)/);
      expect(stdout).toMatch(/Exit codes:\n {2}0 {2}done\n/);
      expect(stderr).toBe('');
    },
  );

  test('the help of the demonstration states the runner, the jobs and the shorter poll delays', async () => {
    const { stdout } = await cli(['demo', '--help']);

    expect(stdout).toMatch(/--runner <name> [\s\S]*noop[\s\S]*default: "scripted"/);
    expect(stdout).toMatch(/--jobs <file> [\s\S]*examples\/jobs\.jsonl/);
    expect(stdout).toMatch(/--poll-accepted-ms <ms> .*default: 500/);
    expect(stdout).toMatch(/--poll-running-ms <ms> .*default: 1000/);
  });

  test('the noop runner is the default everywhere else, with the delays of production', async () => {
    const { stdout } = await cli(['orchestrate', '--help']);

    expect(stdout).toMatch(/default: "noop"/);
    expect(stdout).toMatch(/--poll-accepted-ms <ms> .*default: 5000/);
    expect(stdout).toMatch(/--poll-running-ms <ms> .*default: 2000/);
  });

  test.each([[[]], [['dead-letters']]])('%s alone prints what there is, to stderr, as bad input', async (argv) => {
    const { code, stdout, stderr } = await cli(argv);

    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^Usage: signalbox/);
  });

  test('the version is the package’s', async () => {
    expect(await cli(['--version'])).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
  });
});

describe('bad input', () => {
  test.each([
    ['an unknown command', ['dmeo'], /unknown command 'dmeo' \(Did you mean demo\?\); see "signalbox --help"/],
    ['an unknown subcommand', ['dead-letters', 'lst'], /Did you mean list\?.*see "signalbox dead-letters --help"/],
    [
      'an unknown flag',
      ['demo', '--jbos', 'x'],
      /unknown option '--jbos' \(Did you mean --jobs\?\).*"signalbox demo --help"/,
    ],
    ['a flag without its value', ['demo', '--jobs'], /'--jobs <file>' argument missing/],
    ['a value too many', ['topics', 'jobs'], /too many arguments/],
    ['a missing flag', ['enqueue', '--repo-url', 'x'], /'--commit-sha <sha>' not specified/],
    ['an unknown runner', ['demo', '--runner', 'docker'], /'docker' is invalid. Allowed choices are noop, scripted/],
    ['a negative number', ['demo', '--poll-running-ms', '-5'], /'-5' is invalid. It must be a whole number from 1 to/],
    ['no number', ['orchestrate', '--deadline-ms', 'NaN'], /'NaN' is invalid. It must be a whole number/],
    ['nothing for a number', ['orchestrate', '--deadline-ms', ''], /'' is invalid. It must be a whole number/],
    [
      'a fraction',
      ['orchestrate', '--concurrency', '1.5'],
      /'1.5' is invalid. It must be a whole number from 1 to 1000/,
    ],
    ['zero', ['orchestrate', '--concurrency', '0'], /'0' is invalid/],
    [
      'a number without end',
      ['demo', '--deadline-ms', '99999999999999999999'],
      /is invalid. It must be a whole number/,
    ],
    ['a limit beyond the pages', ['dead-letters', 'list', 'jobs', '--limit', '1001'], /from 1 to 1000/],
    ['a log level', ['orchestrate', '--log-level', 'loud'], /Allowed choices are trace/],
    ['an empty queue', ['topics', '--queue', ''], /the URL has no scheme/],
    [
      'an unknown scheme',
      ['topics', '--queue', 'kafka://host'],
      /nothing is known about the scheme "kafka:"; use one of/,
    ],
    ['a name that is none', ['topics', '--queue', 'memory:a b'], /a memory URL is "memory:" or "memory:NAME"/],
    [
      'a missing file',
      ['demo', '--jobs', 'nowhere/jobs.jsonl'],
      /"nowhere\/jobs.jsonl": there is no such file; give --jobs/,
    ],
    ['a folder for a file', ['demo', '--jobs', 'examples'], /"examples": it is a folder/],
    ['a commit that is none', [...enqueue, '--commit-sha', 'main', '--dry-run'], /--commit-sha must be a commit hash/],
    ['an id that is none', [...enqueue, '--request-id', '7', '--dry-run'], /--request-id must be a UUID/],
    ['an empty hint', [...enqueue, '--runs-on', '', '--dry-run'], /--runs-on must not be empty/],
    ['a source', [...enqueue, '--source', 'gitlab'], /Allowed choices are github, forgejo, manual/],
  ])('%s is one line on stderr that says what to do, and exit code 2', async (_, argv, message) => {
    const { code, stdout, stderr } = await cli(argv);

    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/^signalbox: cannot [^\n]*\n$/);
    expect(stdout).toBe('');
    expect(code).toBe(2);
  });

  test('a backend that nobody knows is exit code 2, and no password shown', async () => {
    for (const argv of [['topics'], ['demo'], enqueue, ['orchestrate'], ['dead-letters', 'list', 'jobs']]) {
      const { code, stderr } = await cli([...argv, '--queue', 'nosuch://app:s3cret@db/builds', '--verbose']);

      expect(stderr).toMatch(
        /^signalbox: cannot open a queue: nothing is known about the scheme "nosuch:"; use one of/,
      );
      expect(stderr).not.toContain('s3cret');
      expect(code).toBe(2);
    }
  });

  test.each(['amqp', 'mysql'])('a server of %s that cannot be reached is named without its password', async (name) => {
    const { code, stderr } = await cli(['topics', '--queue', `${name}://app:s3cret@127.0.0.1:1/builds`, '--verbose']);

    expect(stderr).toMatch(new RegExp(`signalbox: cannot open a queue on ${name}: the backend cannot be reached`));
    expect(stderr).not.toContain('s3cret');
    expect(code).toBe(4);
  });

  test('the stack of an error is printed with --verbose, and only then', async () => {
    const argv = ['topics', '--queue', 'nosuch:'];

    expect((await cli(argv)).stderr).not.toMatch(/\bat /);
    expect((await cli([...argv, '--verbose'])).stderr).toMatch(/QueueError \(invalid\)\n\s+at /);
  });

  test('what an error quotes cannot act on the terminal', async () => {
    const { stderr } = await cli(['topics', '--queue', newUrl(), 'x\u001b[2J\nsignalbox: all is well']);

    expect(stderr).not.toContain('\u001b');
    expect(stderr.match(/\n/g)).toHaveLength(1);
  });
});

describe('a bug of ours or of a driver', () => {
  const connect = () => Promise.reject(new TypeError('x is not a function', { cause: new Error('password s3cret') }));

  test('is said in one line, with exit code 1', async () => {
    const { code, stderr } = await cli(['topics', '--queue', 'memory:x'], { connect });

    expect(stderr).toBe(
      'signalbox: something happened that should not: x is not a function; report this, with what --verbose prints\n',
    );
    expect(code).toBe(1);
  });

  test('its stack names its causes without their messages, which may hold secrets', async () => {
    const { stderr } = await cli(['topics', '--queue', 'memory:x', '--verbose'], { connect });

    expect(stderr).toMatch(/TypeError\n\s+at [\s\S]*caused by Error\n\s+at /);
    expect(stderr).not.toContain('s3cret');
  });
});
