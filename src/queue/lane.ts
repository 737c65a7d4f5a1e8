/**
 * The lane of a key: FNV-1a (32 bit) over its UTF-8 bytes, modulo the topic's lanes. Every release and
 * every backend must agree on it, or one key would be served in two places; `test/queue/lane.test.ts`
 * holds the vectors. Changing a topic's lane count moves keys, so drivers refuse it while messages wait.
 */
export function laneOf(key: string, lanes: number): number {
  return lanes === 1 ? 0 : (hashOfAscii(key) ?? fnv1a32(utf8.encode(key))) % lanes;
}

const utf8 = new TextEncoder();

/** The hash of a text whose letters are its bytes, as of nearly every key and id; null of another. An array for each took a microsecond a message. */
function hashOfAscii(text: string): number | null {
  let hash = offsetBasis;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0x7f) return null;
    hash = Math.imul(hash ^ code, prime);
  }
  return hash >>> 0;
}

/** Of the 32-bit variant: http://www.isthe.com/chongo/tech/comp/fnv/ */
const offsetBasis = 0x811c9dc5;
const prime = 0x01000193;

/** FNV-1a of any bytes, 32 bit, as an unsigned number. Pure. */
export function fnv1a32(bytes: Uint8Array): number {
  let hash = offsetBasis;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, prime);
  return hash >>> 0;
}
