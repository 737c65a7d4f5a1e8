/** What AMQP calls a short string, in which it writes names, keys and properties. */
export const maxShortStringBytes = 255;

/** Nothing longer can be written. What arrived as a short string and was no UTF-8 may be: it has grown by being read. */
export function isShortString(text: string): boolean {
  return Buffer.byteLength(text) <= maxShortStringBytes;
}
