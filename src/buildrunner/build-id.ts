import { z } from 'zod';

declare const buildIdBrand: unique symbol;

/**
 * The name a runner gave to one build, and as it stands the payload `{ id }` of the queue. The brand
 * exists only in the type: without it a build record, or anything else with an `id`, would pass for
 * a build id. Made by `buildId` or read by `buildIdSchema`, so whoever holds one holds a valid one.
 */
export interface BuildId {
  readonly id: string;
  readonly [buildIdBrand]: 'BuildId';
}

/** Longest id in bytes of UTF-8: it has to fit message ids, headers and indexed columns of every backend. */
export const maxBuildIdBytes = 255;

/** Makes a typed build id of a runner's own name for a build. Throws a `TypeError` that says what is wrong with it. */
export function buildId(id: string): BuildId {
  const flaw = flawOf(id);
  if (flaw !== null) throw new TypeError(`cannot make a build id of ${shown(id)}: ${flaw}`);
  return asBuildId(id);
}

/** Reads the payload `{ id }`. Other fields are left out, so that later versions may add some. */
export const buildIdSchema: z.ZodType<BuildId, { id: string }> = z
  .object({
    id: z.string().superRefine((id, context) => {
      const flaw = flawOf(id);
      if (flaw !== null) context.addIssue({ code: 'custom', message: flaw });
    }),
  })
  .transform(({ id }) => asBuildId(id));

function asBuildId(id: string): BuildId {
  return Object.freeze({ id }) as BuildId;
}

/** What keeps `id` from being one, with the remedy, or null. */
function flawOf(id: unknown): string | null {
  if (typeof id !== 'string')
    return `it is no string but ${typeof id}; pass the name that the runner gave to the build`;
  if (id === '') return 'it is empty; pass the name that the runner gave to the build';
  // Lone surrogates too: they do not survive UTF-8, so two different ids would arrive as one.
  if (/[\p{Cc}\p{Cs}]/u.test(id)) return 'it has control characters or broken Unicode; encode it, for example as hex';
  const bytes = Buffer.byteLength(id);
  if (bytes > maxBuildIdBytes)
    return `it has ${bytes} bytes, at most ${maxBuildIdBytes} fit; shorten it, for example by a hash`;
  return null;
}

/** Quoted, without control characters, and short enough for a line of a log. */
function shown(id: unknown): string {
  const text = JSON.stringify(id) ?? String(id);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
