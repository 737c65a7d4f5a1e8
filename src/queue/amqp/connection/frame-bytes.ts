import { maxShortStringBytes } from './short-string.js';

/** So much is allocated at once, for some hundred messages: an allocation for each would cost more than filling it. */
const slabBytes = 64 * 1_024;

/** A text up to here is written character by character, which is quicker than asking Node.js to, while it is plain ASCII. */
const shortText = 48;

/** Bytes in the order in which AMQP wants them, many messages behind one another. */
export class FrameBytes {
  #slab = Buffer.allocUnsafeSlow(slabBytes);
  #start = 0;
  #end = 0;

  /** How many were written and not taken. */
  get length(): number {
    return this.#end - this.#start;
  }

  /** All that was written since the last time; never written on again. */
  take(): Buffer {
    const taken = this.#slab.subarray(this.#start, this.#end);
    this.#start = this.#end;
    if (this.#slab.length > slabBytes) this.#renew(slabBytes);
    return taken;
  }

  /** Forgets what was written since it was so long. */
  cutTo(length: number): void {
    this.#end = this.#start + length;
  }

  uint8(value: number): void {
    this.#reserve(1);
    this.#slab[this.#end++] = value;
  }

  uint16(value: number): void {
    this.#reserve(2);
    this.#slab[this.#end++] = value >>> 8;
    this.#slab[this.#end++] = value;
  }

  /** The low 32 bits of any integer, signed or not. */
  uint32(value: number): void {
    this.#reserve(4);
    this.#slab[this.#end++] = value >>> 24;
    this.#slab[this.#end++] = value >>> 16;
    this.#slab[this.#end++] = value >>> 8;
    this.#slab[this.#end++] = value;
  }

  /** Any integer of less than 64 bits, as exact as a number is. */
  int64(value: number): void {
    const high = Math.floor(value / 2 ** 32);
    this.uint32(high);
    this.uint32(value - high * 2 ** 32);
  }

  double(value: number): void {
    this.#reserve(8);
    this.#end = this.#slab.writeDoubleBE(value, this.#end);
  }

  bytes(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#slab.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /** With its length in one byte before it. Throws a `TypeError` for what has more than 255 bytes. */
  shortString(text: string): void {
    const at = this.length;
    this.uint8(0);
    const count = this.#text(text);
    if (count > maxShortStringBytes) {
      throw new TypeError(`"${text.slice(0, 32)}…" has ${count} bytes, and AMQP takes ${maxShortStringBytes} there`);
    }
    this.#slab[this.#start + at] = count;
  }

  /** With its length in four bytes before it. */
  longString(text: string): void {
    const at = this.length;
    this.uint32(0);
    this.setUint32(at, this.#text(text));
  }

  /** Writes over what stands at `at`, counted as `length` is. */
  setUint32(at: number, value: number): void {
    this.#slab.writeUInt32BE(value, this.#start + at);
  }

  setUint16(at: number, value: number): void {
    this.#slab.writeUInt16BE(value, this.#start + at);
  }

  #text(text: string): number {
    const most = text.length * 3;
    this.#reserve(most);
    if (text.length <= shortText) {
      let at = this.#end;
      for (let index = 0; index < text.length; index++) {
        const unit = text.charCodeAt(index);
        if (unit > 0x7f) return this.#anyText(text);
        this.#slab[at++] = unit;
      }
      this.#end = at;
      return text.length;
    }
    return this.#anyText(text);
  }

  #anyText(text: string): number {
    const count = this.#slab.write(text, this.#end, 'utf8');
    this.#end += count;
    return count;
  }

  #reserve(count: number): void {
    if (this.#end + count > this.#slab.length) this.#renew(Math.max(slabBytes, 2 * (this.length + count)));
  }

  /** What was taken keeps the old one. */
  #renew(bytes: number): void {
    const slab = Buffer.allocUnsafeSlow(bytes);
    slab.set(this.#slab.subarray(this.#start, this.#end));
    this.#end = this.length;
    this.#start = 0;
    this.#slab = slab;
  }
}
