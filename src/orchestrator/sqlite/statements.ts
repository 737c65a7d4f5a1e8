import type { SqliteRow, SqliteValue } from '../../sql/sqlite-connection.js';
import { ask, type Steps } from '../../sql/sqlite-steps.js';
import type { Build } from '../build.js';
import type { BuildQuery } from '../build-store.js';
import type { BuildPlace } from '../sql/build-place.js';

/* Every statement of the store. `document` is the whole record; the other columns are what statements look at. */

/** Answers the build that was there already, or null where this one was stored. */
export function* insertUnlessThere(build: Build): Steps<Build | null> {
  const stored = yield* ask(
    `insert into {builds} (request_id, build_id, status, announced, created_at, version, document)
      values (?, ?, ?, ?, ?, ?, ?)
      on conflict (request_id) do nothing
      returning 1`,
    ...[build.requestId, nameOf(build), build.status, Number(build.announced), build.createdAt, build.version],
    JSON.stringify(build),
  );
  return stored.length > 0 ? null : yield* load(build.requestId);
}

export function* load(requestId: string): Steps<Build | null> {
  return firstOf(yield* ask('select document from {builds} where request_id = ?', requestId));
}

export function* loadByBuildId(id: string): Steps<Build | null> {
  return firstOf(yield* ask('select document from {builds} where build_id = ? limit 1', id));
}

export function* replace(build: Build): Steps<boolean> {
  const version = build.version + 1;
  const replaced = yield* ask(
    `update {builds}
      set build_id = ?, status = ?, announced = ?, version = ?, document = ?
      where request_id = ? and version = ?
      returning 1`,
    ...[nameOf(build), build.status, Number(build.announced), version, JSON.stringify({ ...build, version })],
    ...[build.requestId, build.version],
  );
  return replaced.length > 0;
}

export function* list(query: Omit<BuildQuery, 'cursor'>, after: BuildPlace | null): Steps<readonly Build[]> {
  const { sql, parameters } = listStatement(query, after);
  return (yield* ask(sql, ...parameters)).map(buildOf);
}

/** Public for the test that pins its plan. */
export function listStatement(
  { statuses, announced, limit }: Omit<BuildQuery, 'cursor'>,
  after: BuildPlace | null,
): { readonly sql: string; readonly parameters: readonly SqliteValue[] } {
  const conditions: string[] = [];
  const parameters: SqliteValue[] = [];
  if (announced !== undefined) {
    conditions.push('announced = ?');
    parameters.push(Number(announced));
  }
  if (after !== null) {
    conditions.push('(created_at, request_id) > (?, ?)');
    parameters.push(after.createdAt, after.requestId);
  }
  if (statuses !== undefined) {
    conditions.push(`status in (${statuses.map(() => '?').join(', ')})`);
    parameters.push(...statuses);
  }
  const where = conditions.length === 0 ? '' : `where ${conditions.join(' and ')}`;
  return {
    sql: `select document from {builds} ${where} order by created_at, request_id limit ?`,
    parameters: [...parameters, limit],
  };
}

function firstOf([row]: readonly SqliteRow[]): Build | null {
  return row === undefined ? null : buildOf(row);
}

function buildOf({ document }: SqliteRow): Build {
  return JSON.parse(String(document)) as Build;
}

function nameOf({ buildId }: Build): string | null {
  return buildId === null ? null : buildId.id;
}
