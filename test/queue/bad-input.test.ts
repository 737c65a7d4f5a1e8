import { defineTopic, openQueue, type Queue, QueueError, type QueueErrorCode, VirtualClock } from 'signalbox';
import { memory, memoryStore } from 'signalbox/memory';
import { beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';

const jobs = defineTopic('jobs', { schema: z.string(), maxBodyBytes: 100 });
const ordered = defineTopic('ordered', { schema: z.string(), ordering: 'key' });
const stranger = defineTopic('stranger', { schema: z.string() });
const tooOften = { 'not a number': '5', NaN: Number.NaN, Infinity: Number.POSITIVE_INFINITY, negative: -1, null: null };

/** What a user in a hurry hands over: the types would forbid it. */
// biome-ignore lint/suspicious/noExplicitAny: bad input is what is tested here
type Anything = any;

interface Bad {
  readonly call: () => unknown;
  readonly code: QueueErrorCode;
  /** Operation, subject and remedy, in this order. */
  readonly says: RegExp;
}

let clock: VirtualClock;
let queue: Queue & Record<string, Anything>;

beforeEach(async () => {
  clock = new VirtualClock();
  queue = await openQueue(memory({ clock }), { topics: [jobs, ordered] });
  return () => queue.close({ deadlineMs: 0 });
});

/** The error of a call that throws or rejects. */
async function errorOf(call: () => unknown): Promise<unknown> {
  try {
    await call();
  } catch (error) {
    return error;
  }
  return null;
}

function refuses(table: Readonly<Record<string, Bad>>): void {
  it.each(Object.entries(table))('%s', async (_, { call, code, says }) => {
    const error = await errorOf(call);

    expect(error).toBeInstanceOf(QueueError);
    expect(error).toMatchObject({ code, retryable: false, outcomeUnknown: false });
    expect((error as QueueError).message).toMatch(says);
    for (const topic of [jobs, ordered])
      expect(await queue.admin.depth(topic)).toMatchObject({ ready: 0, delayed: 0, inHand: 0, dead: 0 });
  });
}

/** The same bad value for an option, in each of its wrong shapes. */
function each(
  values: Readonly<Record<string, unknown>>,
  name: string,
  make: (value: unknown) => Bad,
): Record<string, Bad> {
  return Object.fromEntries(Object.entries(values).map(([what, value]) => [`${name}: ${what}`, make(value)]));
}

describe('openQueue', () => {
  const open = (backend: Anything, options: Anything = { topics: [jobs] }) => openQueue(backend, options);
  const twin = defineTopic('jobs', { schema: z.string() });
  const noticed = defineTopic('noticed', { schema: z.string(), deadLetters: { notice: stranger } });
  const never = Object.assign(memory(), { open: () => Promise.reject(new Error('it was opened')) });

  refuses({
    'no backend': {
      call: () => open(undefined),
      code: 'invalid',
      says: /^cannot open a queue: .*neither a URL nor a driver.*"memory:"/,
    },
    'an object that is no driver': {
      call: () => open({ url: 'memory:' }),
      code: 'invalid',
      says: /neither a URL nor a driver/,
    },
    'an empty URL': { call: () => open(''), code: 'invalid', says: /has no scheme; use one of memory:/ },
    'a name without a scheme': {
      call: () => open('memory'),
      code: 'invalid',
      says: /has no scheme; use one of memory:/,
    },
    'a scheme that nobody knows': {
      call: () => open('foo://x'),
      code: 'invalid',
      says: /scheme "foo:"; use one of memory:/,
    },
    'a file on another host': {
      call: () => open('sqlite://root:hunter2@db/x'),
      code: 'invalid',
      says: /a sqlite URL has no host/,
    },
    'a memory URL with a path': {
      call: () => open('memory://a/b'),
      code: 'invalid',
      says: /^cannot open a queue: .*"memory:NAME"; use letters/,
    },
    'no options': {
      call: () => openQueue('memory:', undefined as Anything),
      code: 'invalid',
      says: /^cannot open a queue: options: .*topics/,
    },
    'no topics': { call: () => open(never, {}), code: 'invalid', says: /topics: must be an array of topics/ },
    'topics by name': {
      call: () => open(never, { topics: ['jobs'] }),
      code: 'invalid',
      says: /topics\.0: must be a topic made by defineTopic/,
    },
    'a topic that only looks like one': {
      call: () => open(never, { topics: [{ ...jobs }] }),
      code: 'invalid',
      says: /made by defineTopic/,
    },
    'two topics of one name': {
      call: () => open(never, { topics: [jobs, twin] }),
      code: 'invalid',
      says: /two different topics .*"jobs"; rename one/,
    },
    'a notice topic that is not there': {
      call: () => open(never, { topics: [noticed] }),
      code: 'invalid',
      says: /"stranger", which is not among the topics; add it/,
    },
    'an option that does not exist': {
      call: () => open(never, { topics: [jobs], loger: console }),
      code: 'invalid',
      says: /^cannot open a queue: unknown option "loger"; there are topics, logger, name, clock, setup, random$/,
    },
    'a logger that is none': {
      call: () => open(never, { topics: [], logger: {} }),
      code: 'invalid',
      says: /logger: must have info and warn/,
    },
    'a name that is none': {
      call: () => open(never, { topics: [], name: 'a#b' }),
      code: 'invalid',
      says: /name: must be up to 100 bytes/,
    },
    'a clock that is none': {
      call: () => open(never, { topics: [], clock: Date }),
      code: 'invalid',
      says: /clock: must be a Clock/,
    },
    'a logger of no functions': {
      call: () => open(never, { topics: [], logger: { info: 1, warn: 2 } }),
      code: 'invalid',
      says: /^cannot open a queue: logger: must have info and warn, both functions/,
    },
    'a clock of no functions': {
      call: () => open(never, { topics: [], clock: { now: 1, schedule: 2 } }),
      code: 'invalid',
      says: /^cannot open a queue: clock: must be a Clock, with the functions now and schedule/,
    },
    'a driver of no functions': {
      call: () => open({ capabilities: {}, open: 1, subscribe: 2 }),
      code: 'invalid',
      says: /^cannot open a queue: the driver has no function "open"; implement Driver/,
    },
    'half a driver': {
      call: () => open({ capabilities: {}, open() {}, subscribe() {} }),
      code: 'invalid',
      says: /the driver has no function "declare"; implement Driver/,
    },
    'a setup that does not exist': {
      call: () => open(never, { topics: [], setup: true }),
      code: 'invalid',
      says: /setup: must be "assert", "check" or "none"/,
    },
    'a random that is none': {
      call: () => open(never, { topics: [], random: 0.5 }),
      code: 'invalid',
      says: /random: must be a function/,
    },
  });

  it.each([
    'mysql://root:hunter2@db/x',
    'foo://root:hunter2@db',
    'memory://root:hunter2@db',
    'amqp://u:hunter2@h',
    '//u:hunter2@h',
  ])('the error for %s does not show its password', async (url) => {
    const error = await errorOf(() => open(url));

    expect(String(error)).not.toContain('hunter2');
    expect(JSON.stringify(error)).not.toContain('hunter2');
  });

  it('more lanes, longer names or longer back-off than the backend can are refused at once', async () => {
    const driver = memory();
    const small = Object.assign(memory(), {
      capabilities: {
        ...driver.capabilities,
        ordering: { lanes: 4, keyIsolation: 'full' },
        limits: { ...driver.capabilities.limits, nameBytes: 10 },
        delay: { resolutionMs: 1, maxMs: 73_000 },
      },
    });
    const refused = async (topic: typeof stranger): Promise<unknown> => {
      const mine = Object.assign(memory(), { capabilities: small.capabilities });
      return errorOf(() => openQueue(mine, { topics: [topic] }));
    };

    expect(await refused(defineTopic('lanes', { schema: z.string(), ordering: 'key', lanes: 5 }))).toMatchObject({
      code: 'unsupported',
      message: expect.stringMatching(/"lanes" has 5 lanes and memory at most 4; declare fewer/),
    });
    expect(await refused(defineTopic('a-long-name', { schema: z.string() }))).toMatchObject({
      code: 'invalid',
      message: expect.stringMatching(/"a-long-name" is longer than the 10 bytes of memory; shorten it/),
    });
    expect(await refused(defineTopic('late', { schema: z.string(), backoff: { maxMs: 70_000 } }))).toMatchObject({
      code: 'unsupported',
      message: expect.stringMatching(/"late" has a backoff of up to 84000 ms .*can wait 73000; lower backoff\.maxMs/),
    });
  });
});

describe('defineTopic', () => {
  const define =
    (options: Anything, name: Anything = 'bad') =>
    () =>
      defineTopic(name, options);
  const schema = z.string();
  const bad = (options: Anything, says: RegExp): Bad => ({
    call: define({ schema, ...options }),
    code: 'invalid',
    says,
  });

  refuses({
    'no name': {
      call: define({ schema }, null),
      code: 'invalid',
      says: /^cannot define topic null: the name is null, not a string; use up to/,
    },
    'a name that is a bigint': {
      call: define({ schema }, 1n),
      code: 'invalid',
      says: /is a bigint, not a string; use up to 100 bytes/,
    },
    'a name with a wildcard': {
      call: define({ schema }, 'a.*'),
      code: 'invalid',
      says: /^cannot define topic "a\.\*": the name contains \* or #.*; use up to 100 bytes/,
    },
    'a name that is too long': {
      call: define({ schema }, 'x'.repeat(101)),
      code: 'invalid',
      says: /longer than 100 bytes/,
    },
    'no options': { call: define(undefined), code: 'invalid', says: /^cannot define topic "bad": options: / },
    'no schema': { call: define({}), code: 'invalid', says: /schema: must be a Standard Schema, such as z\.object/ },
    'a schema that is none': {
      call: define({ schema: { parse() {} } }),
      code: 'invalid',
      says: /schema: must be a Standard Schema/,
    },
    'a schema that cannot validate': {
      call: define({ schema: { '~standard': {} } }),
      code: 'invalid',
      says: /schema: must be a Standard Schema/,
    },
    'an option that does not exist': bad(
      { orderings: 'key' },
      /unknown option "orderings"; there are schema, groups, ordering/,
    ),
    'a back-off option that does not exist': bad(
      { backoff: { initial: 5 } },
      /backoff: unknown option "initial"; there are initialMs, factor, maxMs, jitter/,
    ),
    'a group option that does not exist': bad(
      { groups: { a: { pattern: '#' } } },
      /groups\.a: unknown option "pattern"; there are patterns/,
    ),
    'a dead-letter option that does not exist': bad(
      { deadLetters: { topic: 'x' } },
      /deadLetters: unknown option "topic"; there are notice, expireAfterMs/,
    ),
    'an ordering that does not exist': bad({ ordering: 'fifo' }, /ordering: must be "none" or "key"/),
    'lanes without order': bad({ lanes: 4 }, /lanes: only ordered topics have lanes; add ordering: 'key'/),
    'no groups': bad({ groups: {} }, /groups: needs at least one group; leave it out/),
    'groups in a Map': bad(
      { groups: new Map([['a', {}]]) },
      /^cannot define topic "bad": groups: must be a plain object .*such as \{ audit: /,
    ),
    'groups in an array': bad({ groups: ['a'] }, /groups: must be a plain object/),
    'groups that are null': bad({ groups: null }, /groups: must be a plain object/),
    'a group called __proto__': bad({ groups: JSON.parse('{"a":{},"__proto__":{}}') }, /groups: .*not __proto__/),
    'groups with a prototype': bad({ groups: { a: {}, __proto__: { patterns: ['x'] } } }, /groups: .*not __proto__/),
    'a group without patterns': bad(
      { groups: { a: { patterns: [] } } },
      /groups\.a\.patterns: needs at least one pattern/,
    ),
    'a pattern that is too long': bad(
      { groups: { a: { patterns: ['x'.repeat(256)] } } },
      /the pattern is longer than 255 bytes/,
    ),
    'a group with a wildcard': bad({ groups: { 'a*': {} } }, /contains \* or #/),
    'an unmatched that does not exist': bad({ unmatched: 'drop' }, /unmatched: must be "reject" or "discard"/),
    'a notice by name': bad(
      { deadLetters: { notice: 'dead' } },
      /deadLetters\.notice: must be a topic made by defineTopic/,
    ),
    'a factor below 1': bad({ backoff: { factor: 0.5 } }, /backoff\.factor: must be at least 1/),
    'a jitter above 1': bad({ backoff: { jitter: 2 } }, /backoff\.jitter: must be a number from 0 to 1/),
    ...each(tooOften, 'maxAttempts', (value) =>
      value === Number.POSITIVE_INFINITY
        ? bad({ maxAttempts: 0 }, /maxAttempts: must be a whole number from 1, or Infinity/)
        : bad({ maxAttempts: value }, /maxAttempts: must be a whole number from 1, or Infinity/),
    ),
    ...each(tooOften, 'lanes', (value) => bad({ ordering: 'key', lanes: value }, /lanes: must be/)),
    ...each(tooOften, 'maxRedeliveries', (value) => bad({ maxRedeliveries: value }, /maxRedeliveries: must be/)),
    ...each(tooOften, 'maxBodyBytes', (value) => bad({ maxBodyBytes: value }, /maxBodyBytes: must be/)),
    ...each(tooOften, 'idempotencyWindowMs', (value) =>
      bad({ idempotencyWindowMs: value }, /idempotencyWindowMs: must /),
    ),
    ...each(tooOften, 'initialMs', (value) => bad({ backoff: { initialMs: value } }, /backoff\.initialMs: must /)),
    ...each(tooOften, 'maxMs', (value) => bad({ backoff: { maxMs: value } }, /backoff\.maxMs: must /)),
    ...each(tooOften, 'factor', (value) => bad({ backoff: { factor: value } }, /backoff\.factor: must /)),
    ...each(tooOften, 'jitter', (value) => bad({ backoff: { jitter: value } }, /backoff\.jitter: must /)),
    ...each({ ...tooOften, null: 0 }, 'expireAfterMs', (value) =>
      bad({ deadLetters: { expireAfterMs: value } }, /deadLetters\.expireAfterMs: must /),
    ),
  });
});

describe('publishing', () => {
  const bad = (options: Anything, says: RegExp, code: QueueErrorCode = 'invalid'): Bad => ({
    call: () => queue.publish(jobs, 'body', options),
    code,
    says,
  });

  refuses({
    'a topic by name': {
      call: () => queue.publish('jobs' as Anything, 'x'),
      code: 'invalid',
      says: /^cannot publish to .*: the topic is a string; give the value that defineTopic answered/,
    },
    'no topic': {
      call: () => queue.publish(undefined as Anything, 'x'),
      code: 'invalid',
      says: /^cannot publish to a topic: the topic is undefined; give/,
    },
    'null for a topic': {
      call: () => queue.publish(null as Anything, 'x'),
      code: 'invalid',
      says: /^cannot publish to a topic: the topic is null; give/,
    },
    'a topic whose name is no text': {
      call: () => queue.publish({ name: 1n } as Anything, 'x'),
      code: 'invalid',
      says: /the topic is an object; give/,
    },
    'a topic of another queue': {
      call: () => queue.publish(stranger, 'x'),
      code: 'not-found',
      says: /^cannot publish to "stranger": .*add it to openQueue's topics/,
    },
    'a body of another shape': {
      call: () => queue.publish(jobs, 5 as Anything),
      code: 'invalid',
      says: /^cannot publish to "jobs": .*expected string.*mend the body/,
    },
    'a body one byte too large': {
      call: () => queue.publish(jobs, 'x'.repeat(99)),
      code: 'payload-too-large',
      says: /^cannot publish to "jobs": the body has 101 bytes .*100 are allowed; send a reference/,
    },
    'options that are none': bad(5, /^cannot publish to "jobs": the options are a number; give an object/),
    'options that are null': bad(null, /the options are null; give an object/),
    'options that are an array': bad(['key'], /the options are an array; give an object/),
    'an option that does not exist': bad(
      { delay: 5 },
      /^cannot publish to "jobs": unknown option "delay"; there are id, key, routingKey, headers, idempotencyKey, signal/,
    ),
    'an empty id': bad({ id: '' }, /id is empty; leave it out/),
    'an id that is a number': bad({ id: 7 }, /id is a number, not a string; give/),
    'an id that is too long': bad({ id: 'x'.repeat(256) }, /id is longer than 255 bytes; give a shorter/),
    'a key that is a number': bad({ key: 7 }, /key is a number, not a string/),
    'a key that is too long': bad({ key: 'é'.repeat(128) }, /key is longer than 255 bytes/),
    'a key with a control character': bad(
      { key: 'a\nb' },
      /key contains a control character; leave such characters out$/,
    ),
    'a key with half a character': bad(
      { key: '\ud800' },
      /key is not well-formed .*; mend it, text\.toWellFormed\(\) does$/,
    ),
    'an empty idempotency key': bad({ idempotencyKey: '' }, /idempotencyKey is empty; give what names this publish/),
    'a routing key that is too long': bad({ routingKey: 'x'.repeat(256) }, /routingKey is longer than 255 bytes/),
    'an idempotency key that is too long': bad(
      { idempotencyKey: 'x'.repeat(1_025) },
      /idempotencyKey is longer than 1024 bytes/,
    ),
    'headers that are an array': bad({ headers: ['a'] }, /headers are an array; give an object of strings/),
    'headers that are a Map': bad(
      { headers: new Map([['a', 'b']]) },
      /headers are not a plain object; give an object of strings/,
    ),
    'a header that is a number': bad({ headers: { a: 1 } }, /header "a" is a number; headers are strings/),
    'a header of ours': bad(
      { headers: { 'X-Signalbox-Attempt': '1' } },
      /"X-Signalbox-Attempt" is empty or ours; choose another/,
    ),
    'headers that are too large': bad(
      { headers: { a: 'x'.repeat(65_536) } },
      /headers have 65537 bytes and 65536 are allowed; put/,
      'payload-too-large',
    ),
    'a signal that is none': bad({ signal: {} }, /the signal is an object; give an AbortSignal/),
    ...each(
      { NaN: Number.NaN, Infinity: Number.POSITIVE_INFINITY, 'a string': '5', undefined },
      'publishAfter',
      (delayMs) => ({
        call: () => queue.publishAfter(jobs, 'x', delayMs as Anything),
        code: 'invalid',
        says: /^cannot publish to "jobs": the delay is .*; give a finite number of milliseconds/,
      }),
    ),
    'publishAfter beyond what the backend can wait': {
      call: () => queue.publishAfter(jobs, 'x', 366 * 86_400_000),
      code: 'invalid',
      says: /longer than the 31536000000 ms/,
    },
    'a batch that is none': {
      call: () => queue.publishBatch(jobs, 'x' as Anything),
      code: 'invalid',
      says: /^cannot publish a batch.*: the entries are a string; give an array/,
    },
    'batch options that are none': {
      call: () => queue.publishBatch(jobs, [{ body: 'x' }], null as Anything),
      code: 'invalid',
      says: /the options are null; give an object/,
    },
    'a batch option that does not exist': {
      call: () => queue.publishBatch(jobs, [{ body: 'x' }], { key: 'a' } as Anything),
      code: 'invalid',
      says: /unknown option "key"; there are signal/,
    },
    'a batch signal that is none': {
      call: () => queue.publishBatch(jobs, [{ body: 'x' }], { signal: 5 } as Anything),
      code: 'invalid',
      says: /the signal is a number; give an AbortSignal/,
    },
    'no transaction': {
      call: () => queue.within(undefined),
      code: 'invalid',
      says: /^cannot publish within a transaction: .*undefined; /,
    },
    'a transaction that is none': {
      call: () => queue.within({}).publish(jobs, 'x'),
      code: 'invalid',
      says: /not an open transaction/,
    },
  });

  it('what is as large as allowed is published', async () => {
    await queue.publish(jobs, 'x'.repeat(98), {
      id: 'i'.repeat(255),
      key: 'k'.repeat(255),
      routingKey: 'r'.repeat(255),
      idempotencyKey: 'i'.repeat(1_024),
      headers: { a: 'x'.repeat(65_535) },
    });
    await queue.publishAfter(jobs, 'x', -5);

    expect(await queue.admin.depth(jobs)).toMatchObject({ ready: 2, delayed: 0 });
  });

  it('the bad entries of a batch fail alone, each with its error', async () => {
    const results = await queue.publishBatch(jobs, [
      { body: 'good' },
      { body: 5 },
      null,
      { key: 'a' },
      { body: 'x', kay: 'a' },
      { body: 'x', delayMs: Number.NaN },
      { body: 'x', signal: AbortSignal.abort() },
      { body: 'good', delayMs: 5 },
    ] as Anything);

    expect(results.map((result) => (result.status === 'failed' ? result.error.code : result.status))).toEqual([
      'published',
      'invalid',
      'invalid',
      'invalid',
      'invalid',
      'invalid',
      'invalid',
      'published',
    ]);
    for (const result of results)
      if (result.status === 'failed') expect(result.error.message).toMatch(/^cannot publish .*; (mend|give|there are)/);
    expect(await queue.admin.depth(jobs)).toMatchObject({ ready: 1, delayed: 1 });
  });
});

describe('consuming', () => {
  const handler = (): void => {};
  const consume = (options: Anything, says: RegExp): Bad => ({
    call: () => queue.consume(jobs, handler, options),
    code: 'invalid',
    says,
  });
  const subscribe = (options: Anything, says: RegExp): Bad => ({
    call: () => queue.subscribe(jobs, options),
    code: 'invalid',
    says,
  });

  refuses({
    'consume without a handler': {
      call: () => queue.consume(jobs, undefined as Anything),
      code: 'invalid',
      says: /^cannot consume "jobs": the handler is undefined; give a function/,
    },
    'consume a topic by name': {
      call: () => queue.consume('jobs' as Anything, handler),
      code: 'invalid',
      says: /the topic is a string/,
    },
    'consume a topic of another queue': {
      call: () => queue.consume(stranger, handler),
      code: 'not-found',
      says: /^cannot consume "stranger": .*add it/,
    },
    'consume a group that does not exist': {
      call: () => queue.consume(jobs, handler, { group: 'audit' }),
      code: 'not-found',
      says: /group "audit".*declare it/,
    },
    'consume with null': consume(null, /options: /),
    'a consume option that does not exist': consume(
      { concurency: 4 },
      /^cannot consume "jobs": unknown option "concurency"; there are .*concurrency, timeoutMs/,
    ),
    ...each(tooOften, 'concurrency', (value) => consume({ concurrency: value }, /concurrency: must be/)),
    ...each(tooOften, 'prefetch', (value) => consume({ prefetch: value }, /prefetch: must be/)),
    ...each({ ...tooOften, zero: 0 }, 'timeoutMs', (value) => consume({ timeoutMs: value }, /timeoutMs: must /)),
    'a group with a wildcard': consume({ group: '#' }, /group: must be up to 100 bytes/),
    'a name that is too long': consume({ name: 'x'.repeat(101) }, /name: must be up to 100 bytes/),
    'an extension that does not exist': consume(
      { leaseExtension: 'never' },
      /leaseExtension: must be "automatic" or "manual"/,
    ),
    'subscribe to a topic by name': {
      call: () => queue.subscribe('jobs' as Anything),
      code: 'invalid',
      says: /^cannot subscribe to .*the topic is a string/,
    },
    'subscribe to a topic of another queue': {
      call: () => queue.subscribe(stranger),
      code: 'not-found',
      says: /^cannot subscribe to "stranger"/,
    },
    'subscribe to a group that does not exist': {
      call: () => queue.subscribe(jobs, { group: 'audit' })[Symbol.asyncIterator]().next(),
      code: 'not-found',
      says: /^cannot subscribe to "jobs" as group "audit" on memory: .*; declare it/,
    },
    'a subscribe option that does not exist': subscribe(
      { concurrency: 4 },
      /unknown option "concurrency"; there are group, prefetch/,
    ),
    'subscribe with null': subscribe(null, /options: /),
    ...each(tooOften, 'subscribe prefetch', (value) => subscribe({ prefetch: value }, /prefetch: must be/)),
  });
});

describe('settling', () => {
  const never = { NaN: Number.NaN, Infinity: Number.POSITIVE_INFINITY, 'a string': '5', null: null, 'too long': 1e13 };

  it('with bad numbers is refused, and the delivery can still be settled', async () => {
    await queue.publish(jobs, 'x');
    const [delivery] = await collect(1);

    for (const value of Object.values(never)) {
      for (const [verb, call] of [
        ['nack', () => delivery.nack(value)],
        ['postpone', () => delivery.postpone(value)],
      ] as const) {
        const error = await errorOf(call);
        expect(error).toMatchObject({ name: 'QueueError', code: 'invalid' });
        expect(String(error)).toMatch(new RegExp(`cannot ${verb} a delivery of "jobs": .*; (give|publish)`));
      }
    }
    for (const value of [...Object.values(never).slice(0, 4), 0, -1]) {
      expect(await errorOf(() => delivery.extend(value))).toMatchObject({
        code: 'invalid',
        message: expect.stringMatching(
          /^cannot extend a delivery of "jobs": .* is no time span; give milliseconds above 0/,
        ),
      });
    }
    for (const value of [86_400_001, 1e300]) {
      expect(await errorOf(() => delivery.extend(value))).toMatchObject({
        code: 'invalid',
        message: expect.stringMatching(/^cannot extend .* is longer than the 86400000 ms .*; extend again later/),
      });
    }
    await delivery.extend(86_400_000);
    await delivery.ack();
    expect(await errorOf(() => delivery.extend(5))).toMatchObject({ code: 'already-settled' });
    expect(await queue.admin.depth(jobs)).toMatchObject({ ready: 0, delayed: 0, inHand: 0, dead: 0 });
  });

  it('an outbox refuses what a publish would, and nothing of it leaves', async () => {
    await queue.publish(jobs, 'x');
    const [delivery] = await collect(1);
    const { outbox } = delivery;

    const table: readonly (readonly [() => unknown, RegExp])[] = [
      [() => outbox.publish('jobs', 'x'), /the topic is a string/],
      [() => outbox.publish(stranger, 'x'), /not among those/],
      [() => outbox.publish(ordered, 5), /expected string/],
      [() => outbox.publish(ordered, 'x', { idempotencyKey: '' }), /idempotencyKey is empty; give/],
      [() => outbox.publish(ordered, 'x', null), /the options are null/],
      [() => outbox.publish(ordered, 'x', { signal: AbortSignal.abort() }), /unknown option "signal"; there are id/],
      [() => outbox.publishAfter(ordered, 'x', Number.NaN), /the delay is NaN/],
      [() => outbox.publishBatch(ordered, null), /the entries are null; give an array/],
      [() => outbox.publishBatch(ordered, [null]), /an entry is null without a body/],
      [() => outbox.publishBatch(ordered, [{ bdy: 'x' }]), /an entry is an object without a body/],
    ];
    for (const [call, says] of table) {
      const error = await errorOf(call);
      expect(error).toBeInstanceOf(QueueError);
      expect(String(error)).toMatch(says);
    }
    await delivery.reject('done');
    expect(await queue.admin.depth(ordered)).toMatchObject({ ready: 0, delayed: 0 });
  });

  async function collect(count: number): Promise<Anything[]> {
    const iterator = queue.subscribe(jobs)[Symbol.asyncIterator]();
    const deliveries: Anything[] = [];
    while (deliveries.length < count) deliveries.push((await iterator.next()).value);
    return deliveries;
  }
});

describe('admin', () => {
  const ask = (call: (admin: Anything) => unknown, says: RegExp, code: QueueErrorCode = 'invalid'): Bad => ({
    // Each of them is a promise that rejects: nobody has to catch twice.
    call: () => {
      const answer = call(queue.admin);
      expect(answer).toBeInstanceOf(Promise);
      return answer;
    },
    code,
    says,
  });
  const letters = (call: (letters: Anything) => unknown, says: RegExp): Bad => ({
    call: () => call(queue.admin.deadLetters(jobs)),
    code: 'invalid',
    says,
  });

  refuses({
    'depth of nothing': ask(
      (to) => to.depth(),
      /^cannot read the depth of a group: the topic is undefined; give a topic or its name/,
    ),
    'depth of a topic that does not exist': ask(
      (to) => to.depth('nope'),
      /^cannot read the depth of group "default" of "nope" on memory: there is no topic "nope"; /,
      'not-found',
    ),
    'depth of a group that does not exist': ask((to) => to.depth(jobs, 'audit'), /no group "audit"/, 'not-found'),
    'depth of a group that is a number': ask(
      (to) => to.depth(jobs, 5),
      /the group's name is a number, not a string; give/,
    ),
    'addGroup with a bad name': ask(
      (to) => to.addGroup(jobs, 'a*'),
      /^cannot add group "a\*": the group's name contains \* or #.*; give/,
    ),
    'addGroup to a bad topic, without a group': ask(
      (to) => to.addGroup('t*'),
      /^cannot add a group: the topic "t\*" contains \* or #.*; give a topic or its name/,
    ),
    'addGroup to a topic that is none': ask((to) => to.addGroup({}, 'a'), /the topic is an object; give/),
    'addGroup to a topic that does not exist': ask((to) => to.addGroup('nope', 'a'), /no topic "nope"/, 'not-found'),
    'an addGroup option that does not exist': ask(
      (to) => to.addGroup(jobs, 'a', { pattern: '#' }),
      /unknown option "pattern"; there are patterns/,
    ),
    'addGroup without patterns': ask(
      (to) => to.addGroup(jobs, 'a', { patterns: [] }),
      /patterns: needs at least one pattern/,
    ),
    'addGroup with a bad pattern': ask(
      (to) => to.addGroup(jobs, 'a', { patterns: [5] }),
      /patterns\.0: the pattern is a number/,
    ),
    'removeGroup without a name': ask(
      (to) => to.removeGroup(jobs),
      /^cannot remove a group: the group's name is undefined/,
    ),
    'removeGroup of a topic that does not exist': ask(
      (to) => to.removeGroup('nope', 'a'),
      /no topic "nope"/,
      'not-found',
    ),
    'dead letters of nothing': {
      call: () => queue.admin.deadLetters(7 as Anything),
      code: 'invalid',
      says: /^cannot look at dead letters: the topic is a number/,
    },
    'dead letters of a bad group': {
      call: () => queue.admin.deadLetters(jobs, ''),
      code: 'invalid',
      says: /the group's name is empty/,
    },
    'dead letters of a group that does not exist': {
      call: () => queue.admin.deadLetters(jobs, 'audit').count(),
      code: 'not-found',
      says: /no group "audit"/,
    },
    'a list option that does not exist': letters(
      (of) => of.list({ size: 5 }),
      /^cannot list the dead letters of group "default" of "jobs": unknown option "size"; there are limit, cursor/,
    ),
    ...each({ ...tooOften, zero: 0, 'too many': 1_001 }, 'limit', (limit) =>
      letters((of) => of.list({ limit }), /limit: must be/),
    ),
    'a cursor that is a number': letters((of) => of.list({ cursor: 5 }), /cursor: must be/),
    'redrive of nothing': letters(
      (of) => of.redrive(),
      /^cannot redrive the dead letters .*: the ids are undefined; give an array of message ids, or 'all'/,
    ),
    'redrive of one id': letters((of) => of.redrive('id'), /the ids are a string/),
    'purge of numbers': letters(
      (of) => of.purge([5]),
      /^cannot purge .*: an id is a number; give an array of message ids, or 'all'/,
    ),
  });
});

describe('setup and close', () => {
  refuses({
    'a setup mode that does not exist': {
      call: () => queue.setup({ mode: 'force' } as Anything),
      code: 'invalid',
      says: /^cannot set up the topology: mode: must be "assert" or "check"/,
    },
    'a setup option that does not exist': {
      call: () => queue.setup({ force: true } as Anything),
      code: 'invalid',
      says: /unknown option "force"; there are mode, change/,
    },
    'a change that is no boolean': {
      call: () => queue.setup({ change: 'yes' } as Anything),
      code: 'invalid',
      says: /change: must be true or false/,
    },
  });

  it.each(Object.entries({ ...tooOften }))(
    'a deadline of %s is a rejection, and nothing is closed',
    async (_, deadlineMs) => {
      const consumer = await queue.consume(jobs, () => {});
      const subscription = queue.subscribe(jobs);
      for (const closable of [queue, consumer, subscription] as Anything[]) {
        for (const options of [{ deadlineMs }, { deadline: 5 }, null]) {
          const closed = closable.close(options);
          expect(closed).toBeInstanceOf(Promise);
          await expect(closed).rejects.toMatchObject({
            name: 'QueueError',
            code: 'invalid',
            message: expect.stringMatching(/^cannot close /),
          });
        }
      }

      expect(queue.health().status).toBe('ok');
      await queue.publish(jobs, 'x');
      await clock.advance(0);
      expect(await queue.admin.depth(jobs)).toMatchObject({ ready: 0, inHand: 0 });
    },
  );

  it('after close every verb says so', async () => {
    await queue.close();

    for (const call of [
      () => queue.publish(jobs, 'x'),
      () => queue.consume(jobs, () => {}),
      () => queue.subscribe(jobs),
      () => queue.setup(),
      () => queue.admin.topics(),
      () => queue.admin.depth(jobs),
      () => queue.admin.deadLetters(jobs).count(),
      () => queue.admin.lostLetters.list(),
    ]) {
      expect(await errorOf(call)).toMatchObject({
        code: 'closed',
        message: expect.stringMatching(/^cannot .*: the queue is closed; open it again/),
      });
    }
    queue = await openQueue('memory:', { topics: [jobs, ordered] });
  });
});

describe('the memory driver', () => {
  const make = (options: Anything, says: RegExp): Bad => ({ call: () => memory(options), code: 'invalid', says });
  const store = (options: Anything, says: RegExp): Bad => ({ call: () => memoryStore(options), code: 'invalid', says });
  const leases = { negative: -1, zero: 0, 'a string': '5', NaN: Number.NaN, null: null, 'a symbol': Symbol('5') };

  refuses({
    'a misspelt option': make(
      { clok: new VirtualClock() },
      /^cannot make a memory driver: unknown option "clok"; there are store, clock, leaseMs, name$/,
    ),
    'an option of something else': make({ lease: 5 }, /unknown option "lease"; there are/),
    'options that are a number': make(5, /^cannot make a memory driver: the options are no object; give/),
    'options that are null': make(null, /the options are no object; give/),
    'a clock that is none': make(
      { clock: {} },
      /^cannot make a memory driver: clock is no Clock.*; give a VirtualClock/,
    ),
    'a name that is none': make({ name: 5 }, /name is no text; give/),
    'an empty name': make({ name: '' }, /name is no text; give/),
    'a store that is none': make({ store: {} }, /store is no memory store; make it with memoryStore/),
    'a store and a clock': make(
      { store: memoryStore(), clock: new VirtualClock() },
      /both a store and a clock are given; leave the clock out/,
    ),
    'a store and a name': make({ store: memoryStore(), name: 'a' }, /both a store and a name are given; leave/),
    ...each(leases, 'leaseMs', (leaseMs) => make({ leaseMs }, /^cannot make a memory driver: leaseMs is .*; give it/)),
    'a store with a misspelt option': store({ foo: 1 }, /^cannot make a memory store: unknown option "foo"; there are/),
    'a store with a store': store({ store: memoryStore() }, /unknown option "store"; there are clock, leaseMs, name$/),
    'a store of null': store(null, /^cannot make a memory store: the options are no object; give/),
    'a store with a clock that is none': store(
      { clock: Date },
      /^cannot make a memory store: clock is no Clock.*; give/,
    ),
    'committing twice': {
      call: () => {
        const transaction = memoryStore().begin();
        transaction.commit();
        transaction.commit();
      },
      code: 'invalid',
      says: /^cannot commit to memory: the transaction has ended; commit it once/,
    },
  });

  it('takes undefined for left out', () => {
    const kept = memoryStore({ clock: undefined, name: undefined, leaseMs: undefined } as Anything);

    expect(memory({ store: kept, clock: undefined, name: undefined, leaseMs: undefined } as Anything)).toMatchObject({
      name: 'memory',
      capabilities: { lease: { ms: 30_000 } },
    });
  });
});

it.each([Number.NaN, Number.POSITIVE_INFINITY, '5', null, new Date()])('a virtual clock does not start at %s', (at) => {
  expect(() => new VirtualClock(at as Anything)).toThrow(RangeError);
  expect(() => new VirtualClock(at as Anything)).toThrow(/^cannot make a virtual clock: startMs is .*; give epoch/);
});
