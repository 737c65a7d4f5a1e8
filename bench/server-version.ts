import { connect } from 'amqplib';
import { createConnection, type RowDataPacket } from 'mysql2/promise';

/** What the server of a URL calls itself: figures without it mean nothing. */
export async function serverVersion(url: string): Promise<string> {
  if (new URL(url).protocol.startsWith('amqp')) return brokerVersion(url);
  const connection = await createConnection(url.replace(/^mariadb:/, 'mysql:'));
  try {
    const [rows] = await connection.query<RowDataPacket[]>('select version() as version');
    const version = String(rows[0]?.version);
    return version.includes('MariaDB') ? version : `MySQL ${version}`;
  } finally {
    await connection.end();
  }
}

async function brokerVersion(url: string): Promise<string> {
  const connection = await connect(url);
  const { product, version } = connection.connection.serverProperties;
  await connection.close();
  return `${product} ${version}`;
}
