import type { DriverAdmin } from '../driver.js';
import type { Client } from './client.js';

/** See `DriverAdmin`: the store does it all. */
export function adminOf(client: Client): DriverAdmin {
  const { store } = client;
  return {
    topics: () => client.run(() => store.topics()),
    addGroup: (topic, group) => client.run(() => store.addGroup(topic, group)),
    removeGroup: (topic, group) => client.run(() => store.removeGroup(topic, group)),
    pause: (topic, group) => client.run(() => store.pause(topic, group)),
    resume: (topic, group) => client.run(() => store.resume(topic, group)),
    depth: (topic, group) => client.run(() => store.depth(topic, group)),
    letters: (box, page) => client.run(() => store.letters(box, page)),
    redrive: (box, ids) => client.run(() => store.redrive(box, ids)),
    drain: (topic, group, max, keep) => client.run(() => store.drain(topic, group, max, keep)),
    drainLetters: (topic, group, max, keep) => client.run(() => store.drainLetters(topic, group, max, keep)),
    purge: (box, ids) => client.run(() => store.purge(box, ids)),
  };
}
