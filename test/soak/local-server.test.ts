// The server that a soak kills: tried on a program of its own that listens, which no driver has to be there for.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { FileJournal, JournalTail } from '../../soak/journal.js';
import { listenerOn, programOf } from '../../soak/listener.js';
import { LocalServer } from '../../soak/local-server.js';

const onLinux = process.platform === 'linux';
const folder = realpathSync(mkdtempSync(join(tmpdir(), 'signalbox-listener-')));
let child: ChildProcess | null = null;
let server: Server | null = null;

afterEach(() => {
  child?.kill('SIGKILL');
  server?.close();
  child = server = null;
});

describe.runIf(onLinux)('what listens on a port (Linux alone tells)', () => {
  test('is found with all that it was started with', async () => {
    const script =
      'const s = require("node:net").createServer().listen(0, "127.0.0.1", () => console.log(s.address().port))';
    const started = spawn(process.execPath, ['-e', script, '--', 'two words'], {
      ...{ cwd: folder, env: { ...process.env, SOAK_TEST: 'a=b' }, stdio: ['ignore', 'pipe', 'inherit'] },
    });
    child = started;
    const [line] = await once(started.stdout, 'data');

    const found = listenerOn(Number(line));

    expect(found).toMatchObject({
      pid: started.pid,
      root: '/',
      directory: folder,
      uid: process.getuid?.(),
      output: null,
    });
    expect(found?.argv).toEqual([process.execPath, '-e', script, '--', 'two words']);
    expect(found?.environment).toMatchObject({ SOAK_TEST: 'a=b' });
    expect(found && programOf(found)).toBe('node');
  });

  test('is no server to kill when it is another program, on another machine, or nothing', async () => {
    server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { readonly port: number };

    expect(() => new LocalServer('mysql', `mysql://127.0.0.1:${port}/test`)).toThrow(
      /^cannot kill the server: node listens on port \d+, which is none of mysqld, mariadbd; .*--no-server-kill/,
    );
    expect(() => new LocalServer('mysql', 'mysql://db.example.org/test')).toThrow('db.example.org is not this machine');
    expect(() => new LocalServer('amqp', 'amqp://127.0.0.1:1')).toThrow(
      'nothing that we may look at listens on port 1',
    );
  });
});

test('a journal is read line by line, and half a line of a killed writer says nothing until it is whole', () => {
  const file = join(folder, 'journal.jsonl');
  const tail = new JournalTail(file);
  {
    using journal = new FileJournal(file);
    journal.write({ e: 'server-killed', at: 1 });
  }
  expect(tail.read()).toEqual([{ e: 'server-killed', at: 1 }]);
  {
    using journal = new FileJournal(file);
    journal.write({ e: 'server-killed', at: 2 });
    journal.write({ e: 'server-ready', at: 3 });
  }
  expect(tail.read()).toEqual([
    { e: 'server-killed', at: 2 },
    { e: 'server-ready', at: 3 },
  ]);
  expect(tail.read()).toEqual([]);
  tail.close();
  expect(readFileSync(file, 'utf8').split('\n')).toHaveLength(4);
  rmSync(folder, { recursive: true });
});
