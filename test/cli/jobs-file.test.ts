import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { readJobsFile } from '../../src/cli/jobs-file.js';

const folder = mkdtempSync(join(tmpdir(), 'signalbox-jobs-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const request =
  '{"request_id":"C6A93ABD-2713-4d12-b76b-f6771968702f","source":"manual","repo_url":"https://git.example.org/a","commit_sha":"c1aecb3","submitted_at":"2026-01-07T08:13:36Z"}';

async function read(content: string | Uint8Array) {
  const path = join(folder, 'requests.jsonl');
  writeFileSync(path, content);
  return (await readJobsFile(path)).lines.map(({ id, bytes, requestId }) => ({
    id,
    text: Buffer.from(bytes).toString('latin1'),
    requestId,
  }));
}

test('a line keeps its bytes and is named after its place in the file', async () => {
  expect(await read(`${request}\n{"broken\n`)).toEqual([
    { id: 'requests.jsonl:1', text: request, requestId: 'c6a93abd-2713-4d12-b76b-f6771968702f' },
    { id: 'requests.jsonl:2', text: '{"broken', requestId: null },
  ]);
});

test('empty lines are none, and do not change the numbers', async () => {
  const blank = ' '.repeat(200);
  expect((await read(`\n${blank}\n${request}\n\t\n\n${request}`)).map(({ id }) => id)).toEqual([
    'requests.jsonl:3',
    'requests.jsonl:6',
  ]);
});

test('what editors of other systems add is left out: a byte order mark, carriage returns', async () => {
  expect(await read(`\ufeff${request}\r\n${request}\r\n`)).toMatchObject([{ text: request }, { text: request }]);
});

test('bytes that are no UTF-8 stay as they are, and are no request', async () => {
  expect(await read(Buffer.from([0x22, 0xff, 0x22]))).toEqual([
    { id: 'requests.jsonl:1', text: '"\u00ff"', requestId: null },
  ]);
});

test('a name that no message id could hold is replaced', async () => {
  const path = join(folder, `${'ü'.repeat(120)}.jsonl`);
  writeFileSync(path, request);

  expect((await readJobsFile(path)).lines[0]?.id).toBe('jobs:1');
});

test.each(['', '\n\n', '\ufeff'])('a file without a line is an error that says what to write (%j)', async (content) => {
  await expect(read(content)).rejects.toMatchObject({
    code: 'invalid',
    message: expect.stringMatching(/it has none; write/),
  });
});
