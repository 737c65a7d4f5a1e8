import { once } from 'node:events';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { Desk } from './desk.js';
import type { ServerFacts } from './facts.js';
import type { ServerName } from './server-name.js';
import type { Source } from './source.js';

type Question =
  | { readonly ask: 'source' | 'shared' | 'vhost'; readonly name: ServerName }
  | { readonly ask: 'met'; readonly name: ServerName; readonly version: string };

type Answer = { readonly value: unknown } | { readonly error: string };

/** Answers the questions of other processes on a Unix socket: a line of JSON each way, a connection per question. */
export async function serveDesk(desk: Desk, path: string): Promise<Server> {
  const server = createServer((socket) => {
    // The process that asked may be gone before its answer.
    socket.on('error', () => undefined);
    void reply(desk, socket);
  });
  server.listen(path);
  await once(server, 'listening');
  return server;
}

/** A desk in another process. */
export function remoteDesk(path: string): Desk {
  const ask = async (question: Question): Promise<unknown> => {
    const socket = createConnection(path);
    socket.write(`${JSON.stringify(question)}\n`);
    const answer = JSON.parse(await lineOf(socket)) as Answer;
    socket.destroy();
    if ('error' in answer) throw new Error(answer.error);
    return answer.value;
  };
  return {
    source: async (name) => (await ask({ ask: 'source', name })) as Source,
    shared: async (name) => (await ask({ ask: 'shared', name })) as ServerFacts,
    vhost: async (name) => (await ask({ ask: 'vhost', name })) as string,
    met: async (name, version) => void (await ask({ ask: 'met', name, version })),
  };
}

async function reply(desk: Desk, socket: Socket): Promise<void> {
  const question = JSON.parse(await lineOf(socket)) as Question;
  const value = question.ask === 'met' ? desk.met(question.name, question.version) : desk[question.ask](question.name);
  const answer: Answer = await value.then(
    (result) => ({ value: result ?? null }),
    (error: unknown) => ({ error: error instanceof Error ? error.message : String(error) }),
  );
  socket.end(`${JSON.stringify(answer)}\n`);
}

async function lineOf(socket: Socket): Promise<string> {
  for await (const line of createInterface({ input: socket })) return line;
  throw new Error('the test run ended before it answered which servers there are');
}
