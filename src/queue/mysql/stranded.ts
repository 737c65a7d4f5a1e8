import type { KnownGroup, KnownTopic } from './catalogue.js';
import type { Link } from './link.js';
import { messageColumns } from './message-row.js';
import { bytes, now } from './sql-values.js';
import type { Tables } from './tables.js';

/** The box of letters whose destination was gone when they fell due. */
export const lostBox = 0;

const columns = messageColumns.join(', ');

/**
 * What is delayed when its group is removed becomes a letter that is buried when it falls due. Until then it is in no
 * list, and goes back if the group comes back: nobody has to watch for the moment. The rows themselves go with the group's others.
 */
export async function lettersFromDelayed(link: Link, tables: Tables, { id, name, topic }: KnownGroup): Promise<void> {
  await link.write(
    `insert into ${tables.letters} (box, topic, group_name, buried_at, ${columns})
     select ${lostBox}, ?, ?, visible_after, ${columns} from ${tables.messages} force index (service)
     where box = ? and stage = 0 and visible_after > ${now}
     order by visible_after, id`,
    [bytes(topic.name), bytes(name), id],
  );
}

/** What is not yet due goes back to the group that came back, with the due time and the counts that it had. */
export async function strandedToGroup(
  link: Link,
  { letters, messages }: Tables,
  { id, name, topic }: Pick<KnownGroup, 'id' | 'name'> & { readonly topic: Pick<KnownTopic, 'name'> },
): Promise<void> {
  const rows = await link.rows(
    `select id from ${letters}
     where box = ${lostBox} and topic = ? and group_name = ? and buried_at > ${now}
     order by buried_at, id
     for update`,
    [bytes(topic.name), bytes(name)],
  );
  if (rows.length === 0) return;
  const ids = rows.map((row) => Number(row.id));
  await link.write(
    `insert into ${messages} (box, stage, visible_after, due_at, ${columns})
     select ?, 0, buried_at, buried_at, ${columns} from ${letters} where id in (?) order by buried_at, id`,
    [id, ids],
  );
  await link.write(`delete from ${letters} where id in (?)`, [ids]);
}
