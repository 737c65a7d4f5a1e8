/** The tables of one queue in a database, as SQL names. */
export interface Tables {
  readonly topics: string;
  readonly groups: string;
  readonly messages: string;
  readonly letters: string;
  readonly keys: string;
  readonly holders: string;
}

/** Quoted: with an empty prefix `groups` is a reserved word. The prefix is one that `tablePrefixFault` finds nothing wrong with. */
export function tablesWith(prefix: string): Tables {
  const named = (name: string): string => `\`${prefix}${name}\``;
  return {
    topics: named('topics'),
    groups: named('groups'),
    messages: named('messages'),
    letters: named('letters'),
    keys: named('idempotency_keys'),
    holders: named('holders'),
  };
}
