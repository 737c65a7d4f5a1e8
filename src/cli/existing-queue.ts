import { QueueError } from '../queue/index.js';
import { isMysqlUrl, isSqliteUrl, schemasOf } from './schemas.js';

/**
 * The URL of a queue that has to be there: opened by it, nothing is made. Rejects with `not-found` where a database has no
 * tables of a queue, or there is no file. Whatever else is wrong, its driver says when it opens.
 */
export async function existingQueue(operation: string, url: string): Promise<string> {
  if (!isSqliteUrl(url) && !isMysqlUrl(url)) return url;
  const queue = await tablesOf(url, 'queue').catch(() => undefined);
  if (queue !== undefined && queue.applied.length + queue.unknown.length === 0) {
    throw new QueueError(
      `cannot ${operation}: there is no queue at the URL (tables ${queue.tablePrefix}…); correct the URL, or let a program that publishes or consumes make one`,
      { code: 'not-found' },
    );
  }
  if (/[?&]createTables=/.test(url)) return url;
  return `${url}${url.includes('?') ? '&' : '?'}createTables=false`;
}

/**
 * Whether a file or database has tables of builds, without making any. Rejects with `not-found` where it is not there, or has neither those
 * nor a queue. Whatever else is wrong, the store says when it opens.
 */
export async function hasBuilds(operation: string, url: string): Promise<boolean> {
  const builds = await tablesOf(url, 'builds').catch(() => undefined);
  if (builds === undefined || builds.applied.length + builds.unknown.length > 0) return true;
  await existingQueue(operation, url);
  return false;
}

async function tablesOf(url: string, wanted: 'queue' | 'builds') {
  const schemas = await schemasOf(url);
  try {
    return (await schemas.statuses()).find(({ list }) => list === wanted);
  } finally {
    await schemas.close();
  }
}
