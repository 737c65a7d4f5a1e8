import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { sharedServer } from '../servers/index.js';

/** Each answers the URL of an empty queue. */
export interface ThreeBackends {
  sqlite(): Promise<string>;
  mysql(): Promise<string>;
  amqp(): Promise<string>;
}

export async function threeBackends(): Promise<ThreeBackends> {
  const folder = mkdtempSync(join(tmpdir(), 'signalbox-move-'));
  const [mysql, rabbit] = await Promise.all([sharedServer('mariadb:10.11'), sharedServer('rabbitmq:4')]);
  afterAll(() => rmSync(folder, { recursive: true }));
  let files = 0;
  return {
    sqlite: async () => `sqlite:${join(folder, `${++files}.db`)}`,
    mysql: () => mysql.freshUrl(),
    amqp: () => rabbit.freshUrl(),
  };
}
