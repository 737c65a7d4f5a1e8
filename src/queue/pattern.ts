/**
 * Whether a group's pattern accepts a routing key, by the rules of RabbitMQ's topic exchange: words are
 * separated by dots, `*` stands for exactly one word (also an empty one), `#` for any number of words,
 * none included. `*` and `#` are special only as whole words. An absent routing key has no words, and so
 * has an empty one.
 */
export function matches(pattern: string, routingKey: string | null): boolean {
  if (pattern === '#') return true;
  if (routingKey !== null && pattern === routingKey) return true;
  return matchWords(words(pattern), words(routingKey ?? ''));
}

function words(text: string): readonly string[] {
  return text === '' ? [] : text.split('.');
}

/** Greedy with one step back, so that a pattern of many `#` costs no more than pattern times key. */
function matchWords(pattern: readonly string[], key: readonly string[]): boolean {
  let p = 0;
  let k = 0;
  let hashAt = -1;
  let keyAtHash = 0;
  while (k < key.length) {
    if (pattern[p] === '#') {
      hashAt = p++;
      keyAtHash = k;
    } else if (p < pattern.length && (pattern[p] === '*' || pattern[p] === key[k])) {
      p++;
      k++;
    } else if (hashAt >= 0) {
      p = hashAt + 1;
      k = ++keyAtHash;
    } else {
      return false;
    }
  }
  while (pattern[p] === '#') p++;
  return p === pattern.length;
}
