/**
 * A URL as it may be printed: whatever may be a password is `***`. Reads no URL: one that is written wrongly, with a slash or an at
 * sign in its password, must not be shown either, so everything from the first colon to the last at sign goes.
 */
export function maskUrl(url: string): string {
  return url
    .replace(/^([a-z][a-z0-9+.-]*:\/\/[^:@/?#]*):.*@/is, '$1:***@')
    .replace(/([?&][^=&]*(?:pass|secret|token|pwd)[^=&]*=)[^&]*/gi, '$1***');
}
