import { type RawBuilder, sql } from 'kysely';
import type { Build } from '../build.js';
import type { BuildQuery } from '../build-store.js';
import type { BuildPlace } from '../sql/build-place.js';

/** A build as a row. `document` is the whole record; the other columns are what statements look at. */
export interface BuildRow {
  readonly document: Uint8Array;
}

/**
 * Every statement of the store. Each is a transaction of its own, in whatever isolation the connection has. Texts go
 * as bytes: no character set of a connection can change them.
 */
export interface BuildStatements {
  insert(build: Build): RawBuilder<unknown>;
  load(requestId: string): RawBuilder<BuildRow>;
  loadByBuildId(id: string): RawBuilder<BuildRow>;
  /** One row, or none where the version is another. It raises the version, so a row that is found is also changed. */
  replace(build: Build): RawBuilder<unknown>;
  list(query: Omit<BuildQuery, 'cursor'>, after: BuildPlace | null): RawBuilder<BuildRow>;
}

export function buildStatements(tablePrefix: string): BuildStatements {
  const builds = sql.table(`${tablePrefix}builds`);
  return {
    insert: (build) => sql`
      insert into ${builds} (request_id, build_id, status, announced, created_at, version, document)
      values (${bytes(build.requestId)}, ${nameOf(build)}, ${bytes(build.status)}, ${Number(build.announced)},
        ${build.createdAt}, ${build.version}, ${documentOf(build)})`,

    load: (requestId) => sql`
      select document
      from ${builds}
      where request_id = ${bytes(requestId)}`,

    loadByBuildId: (id) => sql`
      select document
      from ${builds}
      where build_id = ${bytes(id)}
      limit 1`,

    replace: (build) => sql`
      update ${builds}
      set build_id = ${nameOf(build)}, status = ${bytes(build.status)}, announced = ${Number(build.announced)},
        version = version + 1, document = ${documentOf({ ...build, version: build.version + 1 })}
      where request_id = ${bytes(build.requestId)} and version = ${build.version}`,

    list: ({ statuses, announced, limit }, after) => sql`
      select document
      from ${builds}
      where ${both(
        after === null
          ? null
          : // Not (a, b) > (x, y): MySQL walks the whole index for that.
            sql`created_at >= ${after.createdAt}
              and (created_at > ${after.createdAt} or request_id > ${bytes(after.requestId)})`,
        announced === undefined ? null : sql`announced = ${Number(announced)}`,
        statuses === undefined ? null : oneOf(statuses),
      )}
      order by created_at, request_id
      limit ${limit}`,
  };
}

function both(...conditions: readonly (RawBuilder<unknown> | null)[]): RawBuilder<unknown> {
  const given = conditions.filter((condition) => condition !== null);
  return given.length === 0 ? sql`true` : sql.join(given, sql` and `);
}

function oneOf(statuses: readonly string[]): RawBuilder<unknown> {
  return statuses.length === 0 ? sql`false` : sql`status in (${sql.join(statuses.map((status) => bytes(status)))})`;
}

function documentOf(build: Build): Uint8Array {
  return bytes(JSON.stringify(build));
}

function nameOf(build: Build): Uint8Array | null {
  return build.buildId === null ? null : bytes(build.buildId.id);
}

function bytes(text: string): Uint8Array {
  return Buffer.from(text, 'utf8');
}
