import type { DeadLetter } from '../../../queue/index.js';
import { isoTime } from '../../write-json.js';

/** A dead letter in `--json`, without what may be large: its headers and its body. Times are ISO timestamps in UTC. */
export function letterJson({ id, topic, group, key, routingKey, publishedAt, buriedAt, death }: DeadLetter) {
  return {
    id,
    topic,
    group,
    key,
    routingKey,
    publishedAt: publishedAt === null ? null : isoTime(publishedAt),
    buriedAt: isoTime(buriedAt),
    death: death && {
      cause: death.cause,
      reason: death.reason,
      attempt: death.attempt,
      postpones: death.postpones,
      redeliveries: death.redeliveries,
      firstFailedAt: isoTime(death.firstFailedAt),
      lastFailedAt: isoTime(death.lastFailedAt),
      origin: death.origin,
    },
  };
}

/** All of it. */
export function wholeLetterJson(letter: DeadLetter) {
  return {
    ...letterJson(letter),
    headers: letter.headers,
    error: letter.death?.error ?? null,
    bodyText: letter.bodyText,
  };
}
