import assert from 'node:assert/strict';
import { many, sorted } from '../bench.js';
import { type Case, driverCase, promise, queueCase } from '../case.js';
import { ack } from '../driver-bench.js';
import { ids } from '../queue-bench.js';

const oddNames = [
  '__proto__',
  'constructor',
  'Case',
  'case',
  'with space',
  '🚦',
  'שלום',
  '"quoted"',
  "'; drop table",
  'a:b',
  '%s',
  'ünï',
];
const oddValues = [
  '',
  ' ',
  'null',
  '0',
  '\u0000nul',
  'line\nbreak',
  '🚦👩‍👩‍👧',
  'שלום',
  '"',
  "'",
  '\\',
  '</x>',
  '\u2028',
  'x'.repeat(2_000),
];

export const payloads: readonly Case[] = [
  ...promise(
    'P1',
    'A body comes out byte for byte as it went in, an empty one and one of exactly the declared limit included.',
    [
      driverCase('bodies-of-all-bytes-come-out-as-they-went-in', async (bench) => {
        const topic = await bench.declare();
        const bodies: Record<string, Uint8Array> = {
          empty: new Uint8Array(),
          'all bytes': Uint8Array.from({ length: 256 }, (_, n) => n),
          'invalid utf-8': new Uint8Array([0xc3, 0x28, 0xff, 0xfe, 0x80]),
          json: Buffer.from('{ "b":1,"a" : 12345678901234567890.10,\n"b":2 }'),
          view: new Uint8Array([9, 9, 1, 2, 3, 9]).subarray(2, 5),
          megabyte: new Uint8Array(1_048_576).map((_, n) => (n * 31) % 251),
        };
        await bench.send(...Object.entries(bodies).map(([id, body]) => bench.entry(topic, id, { body })));
        const reader = await bench.subscribe(topic);

        const received = await bench.receive(reader, Object.keys(bodies).length);

        for (const { message } of received) {
          const expected = bodies[message.id ?? ''] ?? new Uint8Array([1]);
          assert.ok(Buffer.from(message.body).equals(expected), `${message.id} came out otherwise`);
        }
        await bench.settleDone(reader, ...received.map(({ receipt }) => ack(receipt)));
      }),
      queueCase('json-bodies-of-all-kinds-come-out-as-they-went-in', async (bench) => {
        const topic = bench.topic();
        const queue = await bench.queue([topic]);
        const bodies = [
          null,
          true,
          0,
          -0.5,
          1e300,
          '',
          'text',
          '🚦',
          '\u0000',
          [],
          {},
          [[[]]],
          { '': 1 },
          { __proto: 1, a: [null] },
        ];

        for (const [n, body] of bodies.entries()) await queue.publish(topic, body, { id: String(n) });

        for (const { message } of await bench.drain(queue, topic))
          assert.deepEqual(message.body, bodies[Number(message.id)]);
      }),
      queueCase('a-body-of-exactly-the-limit-passes-and-one-more-byte-does-not', async (bench) => {
        const topic = bench.topic({ maxBodyBytes: 10_000 });
        let sends = 0;
        const queue = await bench.queue([topic], {
          interference: {
            send: (next) => {
              sends++;
              return next();
            },
          },
        });
        // Two bytes are the quotes of JSON, and the last character has two.
        const text = (bytes: number): string => `${'x'.repeat(bytes - 4)}ä`;

        await queue.publish(topic, text(10_000), { id: 'exact' });
        await bench.rejects('payload-too-large', queue.publish(topic, text(10_001)));

        assert.equal(sends, 1);
        assert.deepEqual(ids(await bench.drain(queue, topic)), ['exact']);
      }),
      queueCase('the-default-limit-is-one-mebibyte-and-a-topic-may-go-up-to-the-backends', async (bench) => {
        const { bodyBytes } = bench.capabilities.limits;
        const usual = bench.topic();
        const large = bench.topic({ maxBodyBytes: Number.MAX_SAFE_INTEGER });
        const queue = await bench.queue([usual, large]);
        const limit = Math.min(1_048_576, bodyBytes);

        await queue.publish(usual, 'x'.repeat(limit - 2));
        await bench.rejects('payload-too-large', queue.publish(usual, 'x'.repeat(limit - 1)));
        if (bodyBytes <= 128 * 1024 * 1024)
          await bench.rejects('payload-too-large', queue.publish(large, 'x'.repeat(bodyBytes - 1)));

        assert.equal((await bench.drain(queue, usual)).length, 1);
        assert.equal((await bench.drain(queue, large)).length, 0);
      }),
    ],
  ),
  ...promise(
    'P2',
    'Headers are strings and come out as they went in, whatever their names and values, up to the declared size.',
    [
      queueCase('odd-headers-come-out-as-they-went-in', async (bench) => {
        const topic = bench.topic();
        const queue = await bench.queue([topic]);
        const headers = Object.fromEntries([
          ...oddNames.map((name, n) => [name, oddValues[n % oddValues.length] as string]),
          ...oddValues.map((value, n) => [`value-${n}`, value]),
        ]);

        await queue.publish(topic, null, { headers });
        await queue.publishAfter(topic, null, 50, { headers });
        const { seen } = await bench.consume(queue, topic);
        await bench.time.eventually('both have come', () => seen.length === 2);

        for (const { message } of seen) {
          assert.deepEqual(sorted(Object.keys(message.headers)), sorted(Object.keys(headers)));
          for (const name of Object.keys(headers)) assert.equal(message.headers[name], headers[name], name);
        }
      }),
      queueCase('two-hundred-headers-of-32-kib-come-out-as-they-went-in', async (bench) => {
        const topic = bench.topic();
        const queue = await bench.queue([topic]);
        const headers = Object.fromEntries(many(200, (n) => [`header-${n}`, 'v'.repeat(150)]));

        if (bench.capabilities.limits.headerBytes < 32_768)
          return void (await bench.rejects('payload-too-large', queue.publish(topic, null, { headers })));
        await queue.publish(topic, null, { headers });

        const [delivery] = await bench.drain(queue, topic);
        assert.deepEqual({ ...delivery?.message.headers }, headers);
      }),
      queueCase('headers-over-the-limit-are-refused', async (bench) => {
        const topic = bench.topic();
        const queue = await bench.queue([topic]);
        const { headerBytes } = bench.capabilities.limits;

        await queue.publish(topic, null, { headers: { h: 'v'.repeat(headerBytes - 1) } });
        await bench.rejects(
          'payload-too-large',
          queue.publish(topic, null, { headers: { h: 'v'.repeat(headerBytes) } }),
        );

        assert.equal((await bench.drain(queue, topic)).length, 1);
      }),
    ],
  ),
  ...promise('P3', 'An id that is given is kept; one that is not is a UUIDv7: unique, and sortable by time.', [
    queueCase('a-given-id-is-kept-and-an-absent-one-is-made', async (bench) => {
      const topic = bench.topic();
      const queue = await bench.queue([topic]);

      const given = await queue.publish(topic, null, { id: 'Grüße/#1 🚦' });
      const made = await bench.time.until(Promise.all(many(500, () => queue.publish(topic, null))));

      assert.equal(given.id, 'Grüße/#1 🚦');
      assert.equal(new Set(made.map(({ id }) => id)).size, 500);
      for (const { id } of made)
        assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      assert.deepEqual(
        made.map(({ id }) => id),
        sorted(made.map(({ id }) => id)),
      );
      assert.equal(new Set(ids(await bench.drain(queue, topic))).size, 501);
    }),
  ]),
  ...promise(
    'P4',
    'Names of topics and groups may be up to 100 bytes and keys up to 255 of any plain text: dots, slashes, spaces, quotes and Unicode included.',
    [
      driverCase('odd-names-of-topics-and-groups-work', async (bench) => {
        const odd = [
          'a.b',
          'a/b',
          'with space',
          "quote'quote",
          'a"b',
          'a;drop table x',
          'amq.x',
          '%',
          '日本',
          '🚦',
          'UPPER',
          '-- ',
        ];
        for (const suffix of odd) {
          const topic = await bench.declare({
            name: bench.name(suffix),
            groups: [
              { name: suffix, patterns: ['#'] },
              { name: suffix.toUpperCase() === suffix ? `${suffix}!` : suffix.toUpperCase(), patterns: ['#'] },
            ],
          });
          await bench.send(bench.entry(topic, suffix));

          const seen = await bench.drain(await bench.subscribe(topic, { group: suffix }));

          assert.deepEqual(seen, [suffix]);
        }
      }),
      driverCase('names-as-long-as-may-be-work', async (bench) => {
        const pad = (name: string): string =>
          name + 'é'.repeat((bench.capabilities.limits.nameBytes - Buffer.byteLength(name)) >> 1);
        const group = pad('g');
        const topic = await bench.declare({
          name: pad(bench.name('long')),
          groups: [{ name: group, patterns: ['#'] }],
        });
        await bench.send(bench.entry(topic, 'm'), bench.entry(topic, 'dead', { target: { kind: 'group', group } }));

        assert.deepEqual(await bench.drain(await bench.subscribe(topic, { group })), ['m', 'dead']);
      }),
      queueCase('keys-that-differ-in-a-byte-are-different-keys-of-order', async (bench) => {
        const topic = bench.topic({ ordering: 'key', lanes: 2 });
        const queue = await bench.queue([topic]);
        const keys = [
          'a',
          'A',
          'a ',
          'ä',
          'a\u0308',
          '',
          ' ',
          'x'.repeat(255),
          `${'x'.repeat(254)}y`,
          '日本',
          '🚦',
          "'",
          '.',
        ];
        for (const key of keys) await queue.publish(topic, key, { key });

        const { seen } = await bench.consume(queue, topic, () => bench.time.sleep(50), { concurrency: keys.length });
        await bench.time.eventually('all have come', () => seen.length === keys.length);

        assert.deepEqual(sorted(seen.map(({ message }) => message.key)), sorted(keys));
        for (const { message } of seen) assert.equal(message.body, message.key);
      }),
    ],
  ),
];
