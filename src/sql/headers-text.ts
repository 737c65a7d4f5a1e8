export interface ReadHeaders {
  readonly headers: Readonly<Record<string, string>>;
  /** See `Received`. */
  readonly fault: string | null;
}

/** What a column of headers holds, which any program may have written: those that are texts, and what is wrong with the rest. It never throws. */
export function readHeaders(text: string | null): ReadHeaders {
  if (text === null) return { headers: {}, fault: null };
  const value = parsed(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { headers: {}, fault: 'its headers are no JSON object of strings' };
  }
  const named: readonly [string, unknown][] = Object.entries(value);
  const foreign = named.find(([, header]) => typeof header !== 'string');
  if (foreign === undefined) return { headers: value as Record<string, string>, fault: null };
  return {
    headers: Object.fromEntries(named.filter((entry): entry is [string, string] => typeof entry[1] === 'string')),
    fault: `its header ${JSON.stringify(foreign[0])} is no string`,
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
