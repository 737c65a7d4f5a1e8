import { type Queue, QueueError } from '../queue/index.js';

export interface NamedGroup {
  /** What is done with it: `pause`, `list the dead letters of`. */
  readonly verb: string;
  readonly topic: string;
  readonly group: string;
}

/** Does what a command is for, and says in the words of the command line when the topic or group that was named is not there. */
export async function onGroup<T>(
  { admin }: Queue,
  { verb, topic, group }: NamedGroup,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof QueueError && error.code === 'not-found')) throw error;
    const found = (await admin.topics()).find(({ name }) => name === topic);
    if (found?.groups.some(({ name }) => name === group)) throw error;
    const what = found === undefined ? 'there is no such topic' : 'the topic has no such group';
    throw new QueueError(
      `cannot ${verb} group "${group}" of "${topic}": ${what}; "signalbox topics" lists those on this queue`,
      { code: 'not-found', cause: error },
    );
  }
}
