import { Writable } from 'node:stream';

/** Where the frames of a connection go. */
export interface Wire {
  readonly socket: Writable;
  /** The largest frame that both sides take, all of it. */
  readonly frameMaxBytes: number;
}

/** Not in amqplib's types, and there since its first version. */
export function wireOf(connection: unknown): Wire {
  const { stream, frameMax } = connection as { readonly stream?: unknown; readonly frameMax?: unknown };
  if (!(stream instanceof Writable) || typeof frameMax !== 'number') throw unknownAmqplib();
  return { socket: stream, frameMaxBytes: frameMax };
}

/** Its number among the channels of its connection, which each of its frames carries. */
export function channelNumberOf(channel: object): number {
  const { ch } = channel as { readonly ch?: unknown };
  if (typeof ch !== 'number') throw unknownAmqplib();
  return ch;
}

function unknownAmqplib(): Error {
  return new Error('this version of amqplib is built otherwise than 2.3; install amqplib 2.3');
}
