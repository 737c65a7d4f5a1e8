// Messages that other programs wrote so that nobody can read them.
import { connect } from 'amqplib';
import Libsql from 'libsql';
import { createConnection } from 'mysql2/promise';
import { moveMessages } from 'signalbox';
import { expect, test } from 'vitest';
import { driverOf } from '../../src/open-queue.js';
import { ordered, plain } from '../topologies.js';
import { empty, entry, sendAll, withDriver } from './scene.js';
import { threeBackends } from './three-backends.js';

const freshUrl = await threeBackends();
const foreign = `update signalbox_messages set headers = '{"a":1,"b":"c"}' where message_id = 'foreign'`;

/** Makes the headers of the messages named `foreign` unreadable. */
const spoil = {
  async sqlite(url: string) {
    const database = new Libsql(url.slice('sqlite:'.length), { timeout: 5_000 });
    database.exec(foreign);
    database.close();
  },
  async mysql(url: string) {
    const connection = await createConnection({ uri: url });
    await connection.query(foreign);
    await connection.end();
  },
  async amqp(url: string) {
    const connection = await connect(url);
    const channel = await connection.createConfirmChannel();
    for (const { name } of [plain, ordered]) {
      const queue = name === ordered.name ? `signalbox.q.${name}.default.0of4` : `signalbox.q.${name}.default`;
      const options = { messageId: 'foreign', headers: { 'x-signalbox-headers': 'not json' } };
      channel.sendToQueue(queue, Buffer.from('{}'), options);
    }
    await channel.waitForConfirms();
    await connection.close();
  },
};

test.concurrent.each([
  ['sqlite', 'mysql', 'its header "a" is no string'],
  ['mysql', 'amqp', 'its header "a" is no string'],
  ['amqp', 'sqlite', 'its header "x-signalbox-headers" is not JSON of pairs of texts'],
] as const)(
  'from %s to %s, what cannot be read arrives as the dead letter that it would become',
  {
    timeout: 60_000,
  },
  async (from, to, reason) => {
    const [source, target] = [await freshUrl[from](), await freshUrl[to]()];
    await withDriver(source, async (driver) => {
      await driver.declare({ topics: [plain, ordered] }, { mode: 'assert', change: false });
      for (const { name } of [plain, ordered]) {
        const ids = from === 'amqp' ? ['before', 'after'] : ['before', 'foreign', 'after'];
        await sendAll(
          driver,
          ids.map((id) => entry(name, id, { message: { key: 'k' } })),
        );
      }
    });
    await spoil[from](source);

    const { left, staying } = await moveMessages(await driverOf(source), await driverOf(target), { watchMs: 0 });

    expect([left, staying.count]).toEqual([{ waiting: 0, inTransit: 0, inHand: 0, lostLetters: 0 }, 0]);
    for (const { name } of [plain, ordered]) {
      const { waiting, letters } = await withDriver(target, (driver) => empty(driver, name, 'default'));
      expect(waiting.map(({ message }) => message.id)).toEqual(['before', 'after']);
      expect(letters).toMatchObject([{ message: { id: 'foreign' }, death: { cause: 'undecodable', reason } }]);
    }
  },
);
