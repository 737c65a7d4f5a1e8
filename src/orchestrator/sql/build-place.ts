import type { Build } from '../build.js';

/** Where a build stands in the list: both never change, so a place stays what it is. */
export interface BuildPlace {
  readonly createdAt: number;
  readonly requestId: string;
}

export function cursorOf({ createdAt, requestId }: Build): string {
  return `${createdAt}/${requestId}`;
}

/** Null for a text that `cursorOf` did not make. */
export function placeOf(cursor: string): BuildPlace | null {
  const [, createdAt, requestId] = /^(\d{1,16})\/(.+)$/s.exec(cursor) ?? [];
  return createdAt === undefined || requestId === undefined ? null : { createdAt: Number(createdAt), requestId };
}
