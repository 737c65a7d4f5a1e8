import { describe, expect, test } from 'vitest';
import { readSoakArguments } from '../../soak/arguments.js';

describe('the arguments of npm run soak', () => {
  test('are a backend, a URL and options', () => {
    expect(
      readSoakArguments([
        'mysql',
        'mysql://root@127.0.0.1:3306/test',
        '--seed',
        '3',
        '--minutes',
        '0.5',
        '--no-server-kill',
      ]),
    ).toEqual({
      ...{ backend: 'mysql', url: 'mysql://root@127.0.0.1:3306/test', minutes: 0.5, messages: 100_000, consumers: 4 },
      ...{
        seed: 3,
        mix: 'everything',
        server: null,
        cluster: false,
        killServer: false,
        patienceSeconds: 60,
        json: false,
      },
    });
  });

  test.for<readonly [readonly string[], string]>([
    [[], 'no backend is named'],
    [['memory'], 'there is no soak of "memory"'],
    [['sqlite', '/tmp/queue.db'], 'needs a URL that begins with sqlite:'],
    [
      ['mysql', '--server', 'rabbitmq:4'],
      '--server is for runs without a URL, and names a server of mysql as mariadb:10.11',
    ],
    [['amqp', 'amqp://127.0.0.1', '--server', 'rabbitmq:4'], '--server is for runs without a URL'],
    [['mysql', '--cluster'], '--cluster is for amqp without a URL'],
    [['amqp', 'amqp://127.0.0.1', '--cluster'], '--cluster is for amqp without a URL'],
    [['mysql', 'amqp://127.0.0.1'], 'needs a URL that begins with mysql: or mariadb:'],
    [['amqp', 'no URL'], 'needs a URL that begins with amqp: or amqps:'],
    [['amqp', 'amqp://127.0.0.1', 'more'], 'one soak at a time'],
    [['amqp', 'amqp://127.0.0.1', '--messages', '0'], '--messages must be a whole number from 1'],
    [['amqp', 'amqp://127.0.0.1', '--mix', 'half'], '--mix must be everything or half-delayed'],
    [['amqp', 'amqp://127.0.0.1', '--minutes', '-1'], '--minutes'],
    [['amqp', 'amqp://127.0.0.1', '--minutes', ''], '--minutes must be a number above 0'],
    [['amqp', 'amqp://127.0.0.1', '--kill'], "Unknown option '--kill'"],
  ])('%o are refused in one line that shows the usage', ([args, fault]) => {
    expect(readSoakArguments(args)).toEqual({ usage: expect.stringContaining(fault) });
    expect(readSoakArguments(args)).toEqual({
      usage: expect.stringMatching(/^[^\n]*usage: npm run soak -- mysql\|amqp\|sqlite \[URL\][^\n]*$/),
    });
  });

  test('a refused URL is not repeated: it may hold a password', () => {
    expect(JSON.stringify(readSoakArguments(['mysql', 'amqp://user:secret@127.0.0.1']))).not.toContain('secret');
  });
});
