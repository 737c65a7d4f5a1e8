import type { Species } from './mutant.js';

/** Each is judged by the cases that it names alone, on a real server: the suite of all would take minutes for each. */
export const mysqlMutants: Species = {
  title: 'MySQL driver',
  mutants: [
    {
      name: 'settles without looking at the token',
      file: 'mysql/statements.ts',
      find: "'(claim_token = ? and id in (?))'",
      replace: "'(? > 0 and id in (?))'",
      killedBy: ['a-stale-claim-settles-nothing-of-the-newer-holder'],
    },
    {
      name: "takes the client's clock for the server's",
      file: 'mysql/own-link.ts',
      find: 'this.#connection.query(sql, bound',
      replace:
        "this.#connection.query(sql.replaceAll('utc_timestamp(3)', 'from_unixtime(' + Date.now() / 1000 + ')'), bound",
      killedBy: ['a-wrong-clock-of-the-process-moves-no-time-in-the-tables'],
    },
    {
      name: 'works in REPEATABLE READ',
      file: 'mysql/link.ts',
      find: 'set session transaction isolation level read committed',
      replace: 'set session transaction isolation level repeatable read',
      killedBy: ['publishers-with-different-idempotency-keys-do-not-wait-for-each-other'],
    },
    {
      name: 'stores fresh messages with time 0',
      file: 'mysql/insert.ts',
      find: 'inLine ? 0 : dueAt',
      replace: 'send.delayMs <= 0 ? 0 : dueAt',
      killedBy: ['a-delayed-message-and-a-retry-are-served-before-what-was-published-after-they-fell-due'],
    },
    {
      name: 'reads on from where it was, like a log',
      file: 'mysql/claim.ts',
      find: 'return { rows: taken, crowded: false, passed: passed.size > 0 };',
      replace: `const marks = ((globalThis as any).marks ??= new WeakMap());
  const mark = marks.get(statements) ?? 0;
  marks.set(statements, Math.max(mark, ...taken.map(idOf)));
  return { rows: taken.filter((row) => idOf(row) > mark), crowded: false, passed: passed.size > 0 };`,
      killedBy: ['an-open-transaction-holds-up-no-other-publisher'],
    },
  ],
};
