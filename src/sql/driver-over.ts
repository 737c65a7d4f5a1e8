import type { DatabaseConnection, Dialect } from 'kysely';

/** Kysely's driver of one connection, which it never closes: that of `SchemaBackend.exclusively`. */
export function driverOver(connection: DatabaseConnection): ReturnType<Dialect['createDriver']> {
  const noTransaction = async (): Promise<never> => {
    throw new Error('a migration step opens no transaction: on MySQL, DDL would commit it, and on SQLite it is in one');
  };
  return {
    init: async () => {},
    acquireConnection: async () => connection,
    releaseConnection: async () => {},
    beginTransaction: noTransaction,
    commitTransaction: noTransaction,
    rollbackTransaction: noTransaction,
    destroy: async () => {},
  };
}
