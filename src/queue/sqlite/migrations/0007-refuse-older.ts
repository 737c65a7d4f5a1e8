import { CompiledQuery, type Kysely } from 'kysely';
import { namesOf } from '../../../sql/sqlite-tables.js';

/**
 * Who had the file open with a release that knows no ranges claims what is in hand by one, and what it gives back before the frontier is in nobody's
 * hand for ever. Every transaction of such a release reads `catalogue_version`: that the column has another name refuses it from now on. A
 * later step that changes what rows mean does the same.
 *
 * What has come to stand so before this step is returned: a look at what is ready before each frontier.
 */
export async function refuseOlder(db: Kysely<unknown>, tablePrefix: string): Promise<void> {
  const run = (statement: string) =>
    db.executeQuery<{ name: string }>(CompiledQuery.raw(namesOf(tablePrefix)(statement)));
  const { rows } = await run('pragma table_info({state})');
  if (rows.some(({ name }) => name === 'catalogue_version')) {
    await run('alter table {state} rename column catalogue_version to topology_version');
  }
  await run(`update {messages} set state = 4, claim_token = null
    where state = 0 and place between 1 and (select frontier from {groups} where group_id = {messages}.group_id)
      and not exists (
        select 1 from {claims} where {claims}.group_id = {messages}.group_id and place between first_place and last_place)`);
}
