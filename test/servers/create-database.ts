import { randomBytes } from 'node:crypto';
import { createConnection } from 'mysql2/promise';

/** Makes an empty database and answers its URL. */
export async function createDatabase(url: string): Promise<string> {
  const name = `signalbox_${randomBytes(6).toString('hex')}`;
  const server = new URL(url);
  server.pathname = '/';
  const connection = await createConnection({ uri: server.href });
  try {
    await connection.query(`create database ${name}`);
  } finally {
    await connection.end();
  }
  server.pathname = `/${name}`;
  return server.href;
}
