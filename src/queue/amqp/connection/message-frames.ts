import { writeTable } from './field-table.js';
import type { FrameBytes } from './frame-bytes.js';
import type { MessageProperties, Publication } from './publication.js';

/** Before and behind what a frame carries. */
const headBytes = 7;
const frameEnd = 0xce;
const frameOverhead = headBytes + 1;

const method = 1;
const header = 2;
const body = 3;

const basic = 60;
const publish = 40;
/** Bit 0 of a publish. */
const mandatory = 1;

const persistent = 2;

/**
 * Writes all frames of a message: `basic.publish`, mandatory, its properties, its body in as many frames as it takes. Throws a
 * `TypeError` or `RangeError` for what AMQP cannot say, and leaves then whatever it has written.
 *
 * Not by amqplib, whose way of a message to its socket takes three times as long (docs/decisions/amqp-driver.md, "Frames of our own").
 */
export function writeMessage(into: FrameBytes, channel: number, frameMaxBytes: number, publication: Publication): void {
  const { exchange, routingKey, properties } = publication;
  const published = beginFrame(into, method, channel);
  into.uint16(basic);
  into.uint16(publish);
  into.uint16(0);
  into.shortString(exchange);
  into.shortString(routingKey);
  into.uint8(mandatory);
  endFrame(into, published);

  const described = beginFrame(into, header, channel);
  into.uint16(basic);
  into.uint16(0);
  into.int64(publication.body.length);
  writeProperties(into, properties);
  const headerBytes = into.length - described + 1;
  if (headerBytes > frameMaxBytes) {
    throw new RangeError(
      `its headers and properties take ${headerBytes} bytes, and the broker's frames ${frameMaxBytes}`,
    );
  }
  endFrame(into, described);

  const mostBytes = frameMaxBytes - frameOverhead;
  for (let from = 0; from < publication.body.length; from += mostBytes) {
    const part = beginFrame(into, body, channel);
    const isWhole = from === 0 && publication.body.length <= mostBytes;
    into.bytes(isWhole ? publication.body : publication.body.subarray(from, from + mostBytes));
    endFrame(into, part);
  }
}

/** In AMQP's order, each announced by its bit; from the highest, which is the content type's. */
function writeProperties(into: FrameBytes, properties: MessageProperties): void {
  const at = into.length;
  let flags = 0;
  into.uint16(0);
  flags |= text(into, 0x8000, properties.contentType);
  flags |= text(into, 0x4000, properties.contentEncoding);
  // An empty table as well: readers with amqplib look into it without asking.
  flags |= 0x2000;
  writeTable(into, properties.headers ?? {});
  if (properties.persistent === true) {
    flags |= 0x1000;
    into.uint8(persistent);
  }
  if (properties.priority !== undefined) {
    flags |= 0x0800;
    into.uint8(properties.priority);
  }
  flags |= text(into, 0x0400, properties.correlationId);
  flags |= text(into, 0x0200, properties.replyTo);
  flags |= text(into, 0x0100, properties.expiration);
  flags |= text(into, 0x0080, properties.messageId);
  if (properties.timestamp !== undefined) {
    flags |= 0x0040;
    into.int64(properties.timestamp);
  }
  flags |= text(into, 0x0020, properties.type);
  flags |= text(into, 0x0008, properties.appId);
  into.setUint16(at, flags);
}

/** Answers the bit, or 0 where there is nothing to say. */
function text(into: FrameBytes, bit: number, value: string | undefined): number {
  if (value === undefined) return 0;
  into.shortString(value);
  return bit;
}

/** Answers where it begins. */
function beginFrame(into: FrameBytes, type: number, channel: number): number {
  const at = into.length;
  into.uint8(type);
  into.uint16(channel);
  into.uint32(0);
  return at;
}

function endFrame(into: FrameBytes, at: number): void {
  into.setUint32(at + 3, into.length - at - headBytes);
  into.uint8(frameEnd);
}
