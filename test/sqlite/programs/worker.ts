// Runs in a process of its own (see `killed-processes.test.ts`), which kills itself in the middle of whatever it is doing.
import { openSync, writeSync } from 'node:fs';
import { z } from 'zod';
import { defineTopic, openQueue } from '../../../src/index.js';
import { SqliteConnection } from '../../../src/sql/sqlite-connection.js';

export interface WorkerOrders {
  readonly path: string;
  readonly journal: string;
  readonly role: 'publish' | 'consume';
  /** The first of the messages that it publishes. */
  readonly from: number;
  /** The statement, counted from the moment that the queue is open, at which the process ends by SIGKILL; and on which side of it. */
  readonly dieAt: number;
  readonly side: 'before' | 'after';
}

const { path, journal, role, from, dieAt, side } = JSON.parse(process.argv[2] ?? '') as WorkerOrders;
const file = openSync(journal, 'a');
/** With the kernel at once: a process that is killed has said what it said. */
const say = (what: string, n: number): void => {
  writeSync(file, `${what} ${n}\n`);
};

let statements = Number.NEGATIVE_INFINITY;
const counted = <A extends unknown[], T>(work: (this: SqliteConnection, ...args: A) => T) =>
  function (this: SqliteConnection, ...args: A): T {
    statements++;
    if (statements === dieAt && side === 'before') process.kill(process.pid, 'SIGKILL');
    const answer = work.apply(this, args);
    if (statements === dieAt && side === 'after') process.kill(process.pid, 'SIGKILL');
    return answer;
  };
SqliteConnection.prototype.exec = counted(SqliteConnection.prototype.exec);
SqliteConnection.prototype.all = counted(SqliteConnection.prototype.all);

/** A message may be in hand of every process that is killed: none of that is a crash loop here. */
const topic = defineTopic('killed', { schema: z.object({ n: z.number() }), maxRedeliveries: 1_000 });
const left = defineTopic('left', { schema: z.object({ n: z.number() }) });
const queue = await openQueue(`sqlite:${path}`, { topics: [topic, left] });
process.send?.('ready');
statements = 0;
if (role === 'consume') {
  await queue.consume(topic, async (delivery) => {
    const { n } = delivery.message.body;
    say('handed', n);
    await delivery.outbox.publish(left, { n });
    if (n % 7 === 0 && delivery.attempt === 1) {
      await delivery.nack(1);
      say('nacked', n);
      return;
    }
    await delivery.ack();
    say('acked', n);
  });
} else {
  for (let n = from; ; n += 11) {
    const some = Array.from({ length: 10 }, (_, i) => n + i);
    for (const each of [...some, n + 10]) say('publishing', each);
    const batch = queue.publishBatch(
      topic,
      some.map((each) => ({ body: { n: each }, delayMs: each % 3 === 0 ? 5 : 0 })),
    );
    const single = queue.publish(topic, { n: n + 10 }).then(() => say('published', n + 10));
    const results = await batch;
    for (const [i, { status }] of results.entries()) if (status === 'published') say('published', n + i);
    await single;
  }
}
