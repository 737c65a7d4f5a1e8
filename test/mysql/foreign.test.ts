// Of this driver alone: any program may insert a message, as the user's page says.
import { readFileSync } from 'node:fs';
import { createConnection } from 'mysql2/promise';
import { defineTopic, openQueue } from 'signalbox';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { describeServers } from '../servers/index.js';
import { eventually } from './eventually.js';

const [, statement = ''] =
  /## Foreign messages[\s\S]*?```sql\n([\s\S]*?)```/.exec(readFileSync('docs/mysql.md', 'utf8')) ?? [];

await describeServers(['mariadb', 'mysql'], (_, server) => {
  test('one whose headers are no JSON object of strings becomes a dead letter, and its neighbours are served', async () => {
    const url = await server().freshUrl();
    const greetings = defineTopic('greetings', { schema: z.object({ hello: z.string() }) });
    await using queue = await openQueue(url, { topics: [greetings] });
    const connection = await createConnection({ uri: url });
    for (const headers of [null, 'not json', 'null', '["a"]', '{"a":1}']) {
      await connection.query(statement);
      await connection.query('update signalbox_messages set headers = ? order by id desc limit 1', [headers]);
    }
    await connection.end();
    await queue.publish(greetings, { hello: 'after' });
    const handled: string[] = [];

    await queue.consume(greetings, ({ message }) => void handled.push(message.body.hello));

    await eventually('both are served', () => handled.length === 2, 10_000);
    expect(handled.sort()).toEqual(['after', 'world']);
    const letters = queue.admin.deadLetters(greetings);
    await eventually('four are dead letters', async () => (await letters.list()).letters.length === 4, 10_000);
    const reasons = (await letters.list()).letters.map(({ death }) => [death?.cause, death?.reason]);
    expect(reasons.sort()).toEqual([
      ['undecodable', 'its header "a" is no string'],
      ...Array(3).fill(['undecodable', 'its headers are no JSON object of strings']),
    ]);
  });
});
