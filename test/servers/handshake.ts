import { connect as connectAmqp } from 'amqplib';
import { createConnection } from 'mysql2/promise';

/** Opens a connection, asks for the version and closes it. Rejects when nobody answers in time. */
export async function handshake(url: string): Promise<string> {
  return url.startsWith('amqp') ? amqpVersion(url) : sqlVersion(url);
}

/**
 * Asks until the server answers. `ended` tells that it never will: how its process ended, else null.
 * What is refused while a server starts is not told from what is refused for good: the last refusal is in the error.
 */
export async function firstHandshake(
  url: string,
  options: { readonly deadlineMs: number; readonly ended: () => string | null },
): Promise<string> {
  const giveUpAt = performance.now() + options.deadlineMs;
  for (;;) {
    try {
      return await handshake(url);
    } catch (error) {
      const ended = options.ended();
      if (ended !== null) throw new Error(`the server ended before it answered: ${ended}`);
      if (performance.now() > giveUpAt) {
        throw new Error(`the server does not answer after ${options.deadlineMs / 1_000} s: ${String(error)}`);
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function sqlVersion(url: string): Promise<string> {
  const connection = await createConnection({ uri: url, connectTimeout: 5_000 });
  try {
    const [rows] = await connection.query('select version() as version');
    const { version } = (rows as { version: string }[])[0] ?? { version: 'unknown' };
    return /mariadb/i.test(version) ? `MariaDB ${version.replace(/-mariadb.*/i, '')}` : `MySQL ${version}`;
  } finally {
    await connection.end();
  }
}

async function amqpVersion(url: string): Promise<string> {
  const connection = await connectAmqp(url, { timeout: 5_000 });
  // Without a listener, a server that goes away now would end the process.
  connection.on('error', () => undefined);
  const { product, version } = connection.connection.serverProperties;
  await connection.close();
  return `${product} ${version}`;
}
