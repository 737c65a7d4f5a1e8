import type { StandardSchemaV1 } from '@standard-schema/spec';
import { defineTopic, QueueError, type Topic } from 'signalbox';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { decodeBody, encodeBody } from '../../src/queue/codec.js';

const utf8 = (text: string): Uint8Array => Buffer.from(text, 'utf8');
const topicOf = (schema: StandardSchemaV1): Topic => defineTopic('bodies', { schema });

/** The error of an encoding, however it comes. */
async function refused(schema: StandardSchemaV1, body: unknown, maxBytes = 1_000): Promise<QueueError> {
  try {
    await encodeBody('publish to "bodies"', topicOf(schema), body, maxBytes);
  } catch (error) {
    expect(error).toBeInstanceOf(QueueError);
    return error as QueueError;
  }
  throw new Error('it was accepted');
}

const encoded = async (schema: StandardSchemaV1, body: unknown): Promise<string> =>
  Buffer.from(await encodeBody('publish', topicOf(schema), body, 1_000)).toString('utf8');

/** A schema of somebody else, with a `validate` of its own. */
const schemaOf = (validate: StandardSchemaV1.Props['validate']): StandardSchemaV1 => ({
  '~standard': { version: 1, vendor: 'test', validate },
});

const refuses = (): never => {
  throw new Error('not to be looked at');
};

type Result = StandardSchemaV1.Result<unknown>;

/** A promise of some library's own. */
const thenable = (result: unknown): Promise<Result> =>
  // biome-ignore lint/suspicious/noThenProperty: that is what is tested
  ({ then: (resolve: (result: unknown) => void) => void resolve(result) }) as unknown as Promise<Result>;

/** What a `validate` that is no Standard Schema may answer. */
const noResults = [5, 'text', true, null, undefined, {}, [], { issues: null }, { issues: 5 }, { issues: [null] }];

describe('encoding', () => {
  it('sends the JSON of the input, not the output of the schema', async () => {
    const schema = z.object({
      at: z.coerce.date(),
      n: z.number().default(5),
      word: z.string().transform((s) => s.length),
    });

    expect(await encoded(schema, { at: '2026-01-01', word: 'four' })).toBe('{"at":"2026-01-01","word":"four"}');
  });

  it('a Date goes through a schema that reads it from text', async () => {
    expect(await encoded(z.coerce.date(), new Date(0))).toBe('"1970-01-01T00:00:00.000Z"');
  });

  it.each<[string, StandardSchemaV1, unknown]>([
    ['a Date under z.date()', z.date(), new Date()],
    ['NaN', z.number(), Number.NaN],
    ['Infinity', z.object({ n: z.number() }), { n: Number.POSITIVE_INFINITY }],
    ['undefined in an array', z.array(z.string().optional()), [undefined]],
    ['a Map', z.map(z.string(), z.string()), new Map([['a', 'b']])],
    ['a body that does not fit', z.object({ n: z.number() }), { n: 'one' }],
  ])('%s does not survive the journey, and fails at the publisher', async (_, schema, body) => {
    const error = await refused(schema, body);

    expect(error.code).toBe('invalid');
    expect(error.message).toMatch(
      /^cannot publish to "bodies": as its readers will see it after JSON, the body does not fit .*nothing was sent$/,
    );
  });

  it.each<[string, unknown]>([
    ['a bigint', { n: 1n }],
    [
      'a cycle',
      (() => {
        const body: Record<string, unknown> = {};
        body.self = body;
        return body;
      })(),
    ],
    [
      'a toJSON that throws',
      {
        toJSON() {
          throw new Error('no');
        },
      },
    ],
    ['undefined', undefined],
    ['a function', () => {}],
    ['a symbol', Symbol('s')],
  ])('%s is no JSON', async (_, body) => {
    const error = await refused(z.unknown(), body);

    expect([error.code, error.message]).toEqual(['invalid', expect.stringContaining('send plain data')]);
  });

  it('waits for the answer of a schema that is no promise of ours', async () => {
    expect(
      await encoded(
        schemaOf(() => thenable({ value: 1 })),
        1,
      ),
    ).toBe('1');
    expect(
      (
        await refused(
          schemaOf(() => thenable({ issues: [{ message: 'bad' }] })),
          1,
        )
      ).message,
    ).toMatch(/the body does not fit the topic's schema: bad; mend/);
  });

  it.each(noResults)('a schema that answers %j is refused, at once or late', async (answer) => {
    for (const result of [answer, Promise.resolve(answer), thenable(answer)]) {
      const error = await refused(
        schemaOf(() => result as Result),
        1,
      );
      expect(error.code).toBe('invalid');
      expect(error.message).toMatch(
        /^cannot publish to "bodies": .*the topic's schema (answered neither|failed on the body).*; mend the body or the schema/,
      );
    }
  });

  it('undefined properties are left out, as JSON does', async () => {
    expect(await encoded(z.object({ a: z.string().optional() }), { a: undefined })).toBe('{}');
  });

  it('bytes are counted as UTF-8, and the largest that is allowed is allowed', async () => {
    expect(await encodeBody('publish', topicOf(z.string()), '🚦é', 8)).toHaveLength(8);
    expect((await refused(z.string(), '🚦éa', 8)).code).toBe('payload-too-large');
  });

  it('a body that is too large is not even shown to the schema', async () => {
    let asked = 0;
    const schema = schemaOf((value) => {
      asked++;
      return { value };
    });

    await refused(schema, 'x'.repeat(2_000));

    expect(asked).toBe(0);
  });

  it.each<[string, StandardSchemaV1]>([
    [
      'throws',
      schemaOf(() => {
        throw new TypeError('secret 42');
      }),
    ],
    ['rejects', schemaOf(() => Promise.reject(new TypeError('secret 42')))],
  ])('a schema that %s is an error of ours, and nothing of the body shows', async (_, schema) => {
    const error = await refused(schema, { password: 'secret 42' });

    expect(error.code).toBe('invalid');
    expect(error.message).toMatch(
      /JSON, the topic's schema failed on the body: TypeError; mend the body or the schema, nothing was sent$/,
    );
    expect(error.message).not.toContain('secret');
    expect(error.cause).toBeInstanceOf(TypeError);
  });

  it('a long list of issues is cut, and values are not shown', async () => {
    const error = await refused(
      z.array(z.number()),
      Array.from({ length: 20 }, () => 'secret'),
    );

    expect(error.message).toContain('0: ');
    expect(error.message).toContain('and 15 more');
    expect(error.message).not.toContain('secret');
  });
});

describe('decoding', () => {
  it('answers the output of the schema', () => {
    expect(decodeBody(topicOf(z.coerce.date()), utf8('"1970-01-01T00:00:00.000Z"'))).toEqual({ body: new Date(0) });
  });

  it('answers a promise only where the schema does', async () => {
    const late = decodeBody(topicOf(z.string().refine(async () => true)), utf8('"a"'));

    expect(late).toBeInstanceOf(Promise);
    expect(await late).toEqual({ body: 'a' });
  });

  it('reads JSON after a byte order mark, which foreign publishers write', () => {
    expect(decodeBody(topicOf(z.number()), utf8('\ufeff1'))).toEqual({ body: 1 });
  });

  it('keeps a byte order mark inside a text', () => {
    expect(decodeBody(topicOf(z.string()), utf8('"\ufeffa"'))).toEqual({ body: '\ufeffa' });
  });

  it.each<[string, Uint8Array, string]>([
    ['no JSON', utf8('{"a":'), 'the body is not JSON in UTF-8 (syntax error)'],
    ['nothing', utf8(''), 'the body is not JSON in UTF-8 (syntax error)'],
    [
      'a byte that UTF-8 does not have',
      Uint8Array.of(0x22, 0xff, 0x22),
      'the body is not JSON in UTF-8 (invalid UTF-8)',
    ],
    ['a character cut in two', utf8('"é"').subarray(0, 2), 'the body is not JSON in UTF-8 (invalid UTF-8)'],
    ['UTF-16', Uint8Array.of(0xff, 0xfe, 0x31, 0x00), 'the body is not JSON in UTF-8 (invalid UTF-8)'],
    [
      'a body that does not fit',
      utf8('"one"'),
      "the body does not fit the topic's schema: Invalid input: expected number, received string",
    ],
  ])('%s is an answer, not an error', (_, bytes, fault) => {
    expect(decodeBody(topicOf(z.number()), bytes)).toEqual({ fault });
  });

  it('so is a schema that throws what cannot be looked at', async () => {
    const thrown = new Proxy({}, { getPrototypeOf: refuses });
    const throws = schemaOf(() => {
      throw thrown;
    });

    expect(await decodeBody(topicOf(throws), utf8('1'))).toMatchObject({
      fault: "the topic's schema failed on the body: object",
    });
  });

  it.each(noResults)('so is a schema that answers %j', async (answer) => {
    for (const result of [answer, Promise.resolve(answer), thenable(answer)]) {
      expect(await decodeBody(topicOf(schemaOf(() => result as Result)), utf8('1'))).toMatchObject({
        fault: expect.stringMatching(/^the topic's schema (answered neither|failed on the body)/),
      });
    }
  });

  it('so is a schema that throws or rejects', async () => {
    const fault = { fault: "the topic's schema failed on the body: TypeError" };

    expect(
      decodeBody(
        topicOf(
          schemaOf(() => {
            throw new TypeError('secret');
          }),
        ),
        utf8('1'),
      ),
    ).toMatchObject(fault);
    expect(await decodeBody(topicOf(schemaOf(() => Promise.reject(new TypeError('secret')))), utf8('1'))).toMatchObject(
      fault,
    );
  });

  it('names the place of an issue, also where it is given as an object or a symbol', () => {
    const schema = schemaOf(() => ({ issues: [{ message: 'bad', path: ['a', { key: 0 }, Symbol('s')] }] }));

    expect(decodeBody(topicOf(schema), utf8('1'))).toEqual({
      fault: "the body does not fit the topic's schema: a.0.Symbol(s): bad",
    });
  });
});
