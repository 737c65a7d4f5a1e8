import { z } from 'zod';
import { isShortString, maxShortStringBytes } from '../connection/index.js';

/**
 * A topic on exchanges and queues of somebody else. The defaults are AMQP's usual ones, so that what is declared is what other
 * programs declare; nothing of ours is added to it.
 */
export interface MappedTopic {
  /** What is published to, by name (a durable topic exchange) or in full; null: the one group's queue is published to directly. */
  readonly exchange: string | MappedExchange | null;
  /** What a message is published with that has no routing key. Also the binding of groups on a direct exchange. Default: none, which is an empty one. */
  readonly routingKey?: string;
  /** The queue of each group, by name or in full. `*` stands for all groups that are not named, with `{group}` in the names of its objects. */
  readonly groups: Readonly<Record<string, string | MappedQueue>>;
}

export interface MappedExchange {
  readonly name: string;
  /** `direct`, `topic`, `fanout`, `headers`, or the type of a plugin. Default: `topic`; of a dead-letter exchange, `fanout`. */
  readonly type?: string;
  /** Only looked for, never declared. Default: false. */
  readonly passive?: boolean;
  /** Default: true. */
  readonly durable?: boolean;
  /** Gone with its last binding. Default: false. */
  readonly autoDelete?: boolean;
  /** Takes only what other exchanges bring: publishing to it is refused. Default: false. */
  readonly internal?: boolean;
  readonly arguments?: AmqpArguments;
}

export interface MappedQueue {
  readonly queue: string;
  /** Only looked for, never declared, deleted, or bound but for the `bindings` that are given. Default: false. */
  readonly passive?: boolean;
  /** Default: true. RabbitMQ 4.3 refuses a queue that is neither durable nor exclusive. */
  readonly durable?: boolean;
  /** Of this process alone, gone with its connection and with what waits in it. Default: false. */
  readonly exclusive?: boolean;
  /** Gone with its last consumer, and with what waits in it; so the group cannot be paused. Default: false. */
  readonly autoDelete?: boolean;
  /** As they are declared, but for those that `deadLetters` says. No streams: nothing is taken from them. Default: none, so the broker's default type. */
  readonly arguments?: AmqpArguments;
  /** Default: what the group's patterns are on that type of exchange. Headers exchanges and types of plugins need them. */
  readonly bindings?: readonly MappedBinding[];
  /** Default: the group's dead letters are in a queue of ours, and the queue is declared without a dead-letter exchange. */
  readonly deadLetters?: MappedDeadLetters;
}

export interface MappedBinding {
  /** Default: empty. */
  readonly routingKey?: string;
  readonly arguments?: AmqpArguments;
}

export interface MappedDeadLetters {
  readonly queue: string;
  /** Declared, named in the arguments of the group's queue, and the dead-letter queue bound to it. Default: none. */
  readonly exchange?: string | MappedExchange;
  /** What the broker dead-letters with, instead of the message's own. Default: that one. */
  readonly routingKey?: string;
  /**
   * What the dead-letter queue is bound with. Default: what is dead-lettered with, so that nothing is dropped: `routingKey`; without one
   * `#` on a topic exchange, on a direct one the keys that the group's queue is bound with, and its name. Empty on a fanout or headers exchange.
   */
  readonly bindingKey?: string;
  /** Time to live of the dead-letter queue, milliseconds. Default: none. */
  readonly expireAfterMs?: number;
  readonly passive?: boolean;
  readonly durable?: boolean;
  readonly arguments?: AmqpArguments;
}

export type AmqpArguments = Readonly<Record<string, string | number | boolean>>;

/** Which group stands for all that are not named. No group can be called so. */
export const anyGroup = '*';

const text = (what: string) =>
  z.string(`${what} must be a text`).refine(isShortString, `${what} has over ${maxShortStringBytes} bytes`);
const name = z
  .string('must be a name')
  .refine((value) => value !== '' && isShortString(value), `must be a name of 1 to ${maxShortStringBytes} bytes`);
const flag = (byDefault: boolean) => z.boolean('must be true or false').default(byDefault);
const args = z
  .record(
    text('the name of an argument'),
    z.union([z.string(), z.number(), z.boolean()], 'must be a text, number or boolean'),
  )
  .default({});
/** A stream keeps what was acked, and knows neither `basic.get` nor a count of what is ready: a group on one is served nothing. */
const queueArgs = args.refine((given) => given['x-queue-type'] !== 'stream', {
  error: 'cannot be of the type stream, from which nothing is taken: use a classic or a quorum queue',
  path: ['x-queue-type'],
});

/** What AMQP has and this driver has not, each with the reason. */
const refused: Readonly<Record<string, string>> = {
  noWait: 'amqplib has no such thing, and a failure would go unseen',
  noAck: 'a message would be lost with whoever holds it',
  noLocal: 'RabbitMQ ignores it',
};

function strict<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  const names = Object.keys(shape).join(', ');
  return z.strictObject(shape, {
    error: (issue) => {
      if (issue.code !== 'unrecognized_keys') return `must be an object of ${names}`;
      const [key = ''] = issue.keys;
      const why = Object.hasOwn(refused, key) ? refused[key] : `there are ${names}`;
      return `cannot have "${key}": ${why}`;
    },
  });
}

const exchangeOf = (type: string) =>
  z.preprocess(
    (given) => (typeof given === 'string' ? { name: given } : given),
    strict({
      name,
      type: name.default(type),
      passive: flag(false),
      durable: flag(true),
      autoDelete: flag(false),
      internal: flag(false),
      arguments: args,
    }),
  );

/** Arguments that a member of the mapping says as well, by name, where that member is given: one of both would be lost. */
function refuseTwice(
  given: AmqpArguments,
  members: readonly (readonly [argument: string, member: string, value: unknown])[],
  context: z.core.$RefinementCtx,
): void {
  for (const [argument, member, value] of members) {
    if (value === null || !Object.hasOwn(given, argument)) continue;
    const message = `is said by ${member} as well: leave one of them out`;
    context.addIssue({ code: 'custom', path: ['arguments', argument], message, input: given });
  }
}

const deadLettersSchema = strict({
  queue: name,
  exchange: exchangeOf('fanout').nullable().default(null),
  routingKey: text('the routing key').nullable().default(null),
  bindingKey: text('the binding key').nullable().default(null),
  expireAfterMs: z
    .int('must be whole milliseconds')
    .min(1, 'must be at least 1')
    .max(2 ** 32 - 1, 'must be at most 4294967295')
    .nullable()
    .default(null),
  passive: flag(false),
  durable: flag(true),
  arguments: queueArgs,
}).superRefine(({ arguments: given, expireAfterMs }, context) =>
  refuseTwice(given, [['x-message-ttl', 'expireAfterMs', expireAfterMs]], context),
);

const queueSchema = z.preprocess(
  (given) => (typeof given === 'string' ? { queue: given } : given),
  strict({
    queue: name,
    passive: flag(false),
    durable: flag(true),
    exclusive: flag(false),
    autoDelete: flag(false),
    arguments: queueArgs,
    bindings: z
      .array(strict({ routingKey: text('the routing key').default(''), arguments: args }), 'must be a list of bindings')
      .nullable()
      .default(null),
    deadLetters: deadLettersSchema.nullable().default(null),
  }).superRefine(({ arguments: given, deadLetters }, context) =>
    refuseTwice(
      given,
      [
        ['x-dead-letter-exchange', 'deadLetters.exchange', deadLetters?.exchange ?? null],
        ['x-dead-letter-routing-key', 'deadLetters.exchange', deadLetters?.exchange ?? null],
        ['x-dead-letter-routing-key', 'deadLetters.routingKey', deadLetters?.routingKey ?? null],
      ],
      context,
    ),
  ),
);

export const mappedTopicSchema = strict({
  exchange: exchangeOf('topic').nullable(),
  routingKey: text('the routing key').default(''),
  groups: z
    .record(z.string(), queueSchema, 'must be an object from groups to their queues')
    .refine((groups) => Object.keys(groups).length > 0, 'must name the queue of a group'),
});

/** A mapping with its defaults filled in, as the catalogue keeps it. */
export type Mapping = Readonly<z.output<typeof mappedTopicSchema>>;
export type QueueMapping = Mapping['groups'][string];
