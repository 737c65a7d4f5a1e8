/**
 * The lane of a key: FNV-1a (32 bit) over its UTF-8 bytes, modulo the topic's lanes. Every release and
 * every backend must agree on it, or one key would be served in two places; `test/queue/lane.test.ts`
 * holds the vectors. Changing a topic's lane count moves keys, so drivers refuse it while messages wait.
 */
export function laneOf(key: string, lanes: number): number {
  return lanes === 1 ? 0 : fnv1a32(utf8.encode(key)) % lanes;
}

const utf8 = new TextEncoder();

/** Constants of the 32-bit variant: http://www.isthe.com/chongo/tech/comp/fnv/ */
export function fnv1a32(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}
