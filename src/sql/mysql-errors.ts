import type { Classification, QueueErrorCode } from '../queue/driver.js';

/**
 * What an error of mysql2, of MySQL or of MariaDB means. By the server's number and the client's code, never by message text;
 * what neither table knows is `internal`. `outcomeUnknown` where a statement may have been committed all the same.
 */
export function classifyMysql(error: unknown): Classification {
  if (typeof error !== 'object' || error === null) return final('internal');
  const { errno, code, fatal, syscall } = error as MysqlError;
  // A connection that is refused or never comes about has carried no statement.
  if (syscall === 'connect' || syscall === 'getaddrinfo') return { ...again('unavailable'), ...detailOf([error]) };
  const tried = error instanceof AggregateError ? (error.errors as readonly MysqlError[]) : [];
  if (tried[0]?.syscall === 'connect') return { ...again('unavailable'), ...detailOf(tried) };
  const known = byNumber.get(errno) ?? byClientCode.get(code);
  if (known !== undefined) return known;
  // mysql2 refuses a statement on a connection that it knows to be dead, and that has neither number nor code.
  return fatal === true ? again('unavailable') : final('internal');
}

interface MysqlError {
  readonly errno?: unknown;
  readonly code?: unknown;
  readonly fatal?: unknown;
  readonly syscall?: unknown;
  readonly address?: unknown;
  readonly port?: unknown;
  readonly hostname?: unknown;
}

/** Where there was no connection to, each address of a name; nothing where the client does not say. */
function detailOf(tried: readonly MysqlError[]): { readonly detail?: string } {
  const details = tried.flatMap(({ code, address, port, hostname }) => {
    if (typeof hostname === 'string') return [`no address is known of ${hostname} (${String(code)})`];
    if (typeof address !== 'string') return [];
    return [`no connection to ${address}${port === undefined ? '' : `:${String(port)}`} (${String(code)})`];
  });
  return details.length === 0 ? {} : { detail: details.join(', ') };
}

function final(code: QueueErrorCode): Classification {
  return { code, retryable: false, outcomeUnknown: false };
}

function again(code: QueueErrorCode): Classification {
  return { code, retryable: true, outcomeUnknown: false };
}

function unknownOutcome(code: QueueErrorCode): Classification {
  return { code, retryable: true, outcomeUnknown: true };
}

const byNumber = new Map<unknown, Classification>([
  // Rolled back as a whole (1213, 1020) or the statement alone (1205, 3572 is NOWAIT's).
  ...[1213, 1020, 1205, 3572].map((errno) => [errno, again('conflict')] as const),
  // No rights: database, host, table, column, privilege, routine.
  ...[1044, 1130, 1142, 1143, 1227, 1370].map((errno) => [errno, final('denied')] as const),
  // Wrong password, wrong authentication plugin, password expired, account locked.
  ...[1045, 1698, 1862, 3118, 4151].map((errno) => [errno, final('auth')] as const),
  // Unknown database, unknown table.
  ...[1049, 1146].map((errno) => [errno, final('not-found')] as const),
  // Too many connections (server, user), no memory, no threads, disk full, table full.
  ...[1040, 1203, 1226, 1037, 1041, 1135, 1021, 1114].map((errno) => [errno, again('resource-exhausted')] as const),
  // The host is blocked after many broken connections, until somebody flushes the server's list.
  [1129, again('unavailable')],
  // Read-only: by an option, in a transaction, in the whole server. A fail-over makes a server so, and passes.
  ...[1290, 1792, 1836].map((errno) => [errno, again('unavailable')] as const),
  // Larger than max_allowed_packet.
  [1153, final('payload-too-large')],
  // Interrupted by KILL QUERY or a limit on its time: the statement is undone.
  ...[1317, 1969, 3024].map((errno) => [errno, again('timeout')] as const),
  // The server ends, or the connection did: killed (1927, 3169), idle (4031), network (1158 to 1161), client's own numbers.
  ...[1053, 1927, 3169, 4031, 1158, 1159, 1160, 1161, 2006, 2013].map(
    (errno) => [errno, unknownOutcome('unavailable')] as const,
  ),
]);

const byClientCode = new Map<unknown, Classification>([
  ...['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'].map(
    (code) => [code, again('unavailable')] as const,
  ),
  ...['PROTOCOL_CONNECTION_LOST', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ECONNABORTED'].map(
    (code) => [code, unknownOutcome('unavailable')] as const,
  ),
  ['PROTOCOL_SEQUENCE_TIMEOUT', unknownOutcome('timeout')],
]);
