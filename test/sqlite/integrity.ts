import Libsql from 'libsql';

/** What SQLite says of the whole file: `ok`, or what is wrong with it. */
export function integrityOf(path: string): string {
  const database = new Libsql(path, { timeout: 5_000 });
  try {
    const rows = database.prepare('pragma integrity_check').all() as { integrity_check: string }[];
    return rows.map(({ integrity_check }) => integrity_check).join('; ');
  } finally {
    database.close();
  }
}
