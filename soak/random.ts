/**
 * A number in [0, 1) that depends on nothing but its arguments: publisher, consumers and the account, each in a
 * process of its own, draw the same lots for the same message.
 */
export function randomOf(seed: number, ...salts: readonly (number | string)[]): number {
  // FNV-1a over the salts, then one round of mulberry32 to spread what FNV leaves alike.
  let hash = (0x811c9dc5 ^ seed) >>> 0;
  for (const character of salts.join('/')) hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193) >>> 0;
  hash = (hash + 0x6d2b79f5) >>> 0;
  hash = Math.imul(hash ^ (hash >>> 15), hash | 1);
  hash ^= hash + Math.imul(hash ^ (hash >>> 7), hash | 61);
  return ((hash ^ (hash >>> 14)) >>> 0) / 4_294_967_296;
}
