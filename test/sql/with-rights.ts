import { createConnection } from 'mysql2/promise';

/** The same database for a new user who has these rights alone there. */
export async function withRights(url: string, rights: string): Promise<string> {
  const admin = await createConnection(url);
  const database = new URL(url).pathname.slice(1);
  const user = `u_${database.slice(-12)}`;
  // By both names: MariaDB's nameless user of localhost would come before one from anywhere.
  for (const host of ['%', 'localhost']) {
    await admin.query(`create user if not exists ${user}@'${host}' identified by 'pw'`);
    await admin.query(`grant ${rights} on ${database}.* to ${user}@'${host}'`);
  }
  await admin.end();
  const theirs = new URL(url);
  theirs.username = user;
  theirs.password = 'pw';
  return theirs.href;
}
