/**
 * A URL as it may be printed: whatever may be a password is `***`. Reads no URL, since one that is written wrongly must not be shown
 * either, quoted, with a blank before it or without its slashes: from the scheme, or else from the beginning, to the last at sign all goes but a
 * plain user name; then what stands where a port would and is none, and what follows the name of an option that sounds like a secret.
 */
export function maskUrl(url: string): string {
  const [, scheme = '', rest = ''] = beginning.exec(url) ?? [];
  return `${scheme}${maskUserInfo(scheme, rest)}`.replace(secretOption, '$1***');
}

/**
 * Whether a text looks as if it were a URL with a password, or was meant to be one. For texts of which nobody knows what they are: an
 * id may have a colon, or an at sign, and is to be shown.
 */
export function mayHoldPassword(text: string): boolean {
  return /:.*@/s.test(text) || beginning.exec(text)?.[1] !== '' || text.search(secretOption) >= 0;
}

/** Schemes of ours need no slashes after them; what else has none may be a user name with its colon. */
const beginning = /^((?:["'\s]*(?:[a-z][a-z0-9+.-]*:\/\/|(?:amqps?|mysql|mariadb|sqlite|memory):))?)(.*)$/is;
/** To the end: nobody knows whether an ampersand is part of it. */
const secretOption = /((?:pass|pwd|secret|token|auth|cred)[^=/@?&]*=).*$/is;
const plainUser = /^[\w.-]+(?=[:@])/;
const noPort = /^((?:\[[\da-f:.]*\]|(?!\[[\da-f:.]*\])[^:/?#])*:)(?!\d{1,5}(?:[/?#,"'\s]|$)).+$/is;

function maskUserInfo(scheme: string, rest: string): string {
  // A path may have an at sign.
  if (/(?:sqlite|memory):$/i.test(scheme) && !/:.*@/s.test(rest)) return rest;
  const at = rest.lastIndexOf('@');
  const host = rest.slice(at + 1).replace(noPort, '$1***');
  if (at < 0) return host;
  const user = scheme === '' ? '' : (plainUser.exec(rest)?.[0] ?? '');
  if (user.length === at) return `${user}@${host}`;
  return rest[user.length] === ':' && user !== '' ? `${user}:***@${host}` : `***@${host}`;
}
