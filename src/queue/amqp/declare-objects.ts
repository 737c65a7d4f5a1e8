import type { Channel } from 'amqplib';
import { type Logger, Refusal } from '../driver.js';
import { type Link, replyCodeOf, wordsOf } from './connection/index.js';
import { describeSpec, type ObjectSpec } from './object-spec.js';
import { demandMatch } from './queue-mismatch.js';

const accessRefused = 403;
const notFound = 404;
const resourceLocked = 405;

/**
 * Declares objects in their order. Safe to do from many processes at once and again. Where the broker refuses (403), the
 * object is looked for instead: somebody else manages the broker. Rejects with a refusal: `topology-mismatch` where it
 * exists with other arguments, `denied` where it is missing and may not be declared, `not-found` for a passive one.
 */
export async function declareObjects(
  link: Link,
  what: string,
  specs: readonly ObjectSpec[],
  logger: Logger,
): Promise<void> {
  const unsaid: string[] = [];
  await declareEach(link, `declare ${what}`, specs, async (error, refused) => {
    if (replyCodeOf(error) === notFound && refused.kind !== 'binding' && refused.passive) throw missing(refused);
    if (replyCodeOf(error) !== accessRefused) throw demandMatch(error, describeSpec(refused));
    await lookInstead(link, refused, error);
    unsaid.push(describeSpec(refused));
  });
  if (unsaid.length === 0) return;
  logger.warn(
    { notDeclared: unsaid },
    `this user may not declare ${what}; queues and exchanges were looked for instead and are there, bindings cannot be looked for`,
  );
}

/**
 * Compares objects that exist with what is declared, in the one way that AMQP has: declaring what exists changes nothing, and is refused
 * where it differs (`topology-mismatch`). Answers those that could not be compared: this user may not declare them, or
 * they are exclusive to another connection. One that is deleted at that moment is made.
 */
export async function compareObjects(
  link: Link,
  what: string,
  specs: readonly ObjectSpec[],
): Promise<readonly ObjectSpec[]> {
  const unknown: ObjectSpec[] = [];
  const compared = specs.filter((spec) => spec.kind !== 'binding' && !spec.passive);
  await declareEach(link, `compare ${what}`, compared, (error, refused) => {
    const replyCode = replyCodeOf(error);
    if (replyCode !== accessRefused && replyCode !== resourceLocked) throw demandMatch(error, describeSpec(refused));
    unknown.push(refused);
  });
  return unknown;
}

/** What a broker has the time of one call for: declaring a quorum queue may take a second of a busy one, and a topic has up to hundreds. */
const atOnce = 8;

/** Goes on behind what the broker refused, on another channel, unless `onRefused` throws. What fails at none of them rejects. */
async function declareEach(
  link: Link,
  what: string,
  specs: readonly ObjectSpec[],
  onRefused: (error: unknown, refused: ObjectSpec) => void | Promise<void>,
): Promise<void> {
  for (let left = specs; left.length > 0; ) {
    const some = left.slice(0, atOnce);
    let done = 0;
    try {
      await link.withChannel(what, async (channel) => {
        for (const spec of some) {
          await declare(channel, spec);
          done += 1;
        }
      });
      left = left.slice(atOnce);
    } catch (error) {
      const refused = some[done];
      if (refused === undefined) throw error;
      await onRefused(error, refused);
      left = left.slice(done + 1);
    }
  }
}

async function declare(channel: Channel, spec: ObjectSpec): Promise<void> {
  if (spec.kind === 'binding') {
    const { queue, exchange, routingKey, arguments: args, undo } = spec;
    await (undo
      ? channel.unbindQueue(queue, exchange, routingKey, args)
      : channel.bindQueue(queue, exchange, routingKey, args));
  } else if (spec.passive) {
    await look(channel, spec);
  } else if (spec.kind === 'exchange') {
    const { name, type, durable, autoDelete, internal, arguments: args } = spec;
    await channel.assertExchange(name, type, { durable, autoDelete, internal, arguments: args });
  } else {
    const { name, durable, exclusive, autoDelete, arguments: args } = spec;
    await channel.assertQueue(name, { durable, exclusive, autoDelete, arguments: args });
  }
}

type Named = Exclude<ObjectSpec, { readonly kind: 'binding' }>;

async function look(channel: Channel, { kind, name }: Named): Promise<void> {
  if (kind === 'queue') await channel.checkQueue(name);
  else await channel.checkExchange(name);
}

async function lookInstead(link: Link, spec: ObjectSpec, refusal: unknown): Promise<void> {
  if (spec.kind === 'binding') return;
  if (await isThere(link, spec)) return;
  throw new Refusal(
    'denied',
    `there is no ${describeSpec(spec)}, and this user may not declare it (${wordsOf(refusal)})`,
    'give the user the right to configure it, have it declared by somebody who may, or use another name',
    { cause: refusal },
  );
}

/** Whether it exists; an exclusive queue of somebody else does. */
export async function isThere(link: Link, spec: Named): Promise<boolean> {
  try {
    await link.withChannel(`look for ${describeSpec(spec)}`, (channel) => look(channel, spec));
    return true;
  } catch (error) {
    if (replyCodeOf(error) === resourceLocked) return true;
    if (replyCodeOf(error) !== notFound) throw error;
    return false;
  }
}

function missing(spec: Named): Refusal {
  return new Refusal(
    'not-found',
    `there is no ${describeSpec(spec)}, which is mapped as passive`,
    'have it declared by whoever owns it, or map it without passive',
  );
}
