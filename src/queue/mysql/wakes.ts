type Listener = (box: number, inMs: number) => void;

/** All drivers of this process, by the queue that they are on: what one stores, the others are told without asking the database. */
const queues = new Map<string, Set<Listener>>();

/**
 * Tells everybody in this process that something was put into a box. `queue` names the tables: server, database, prefix.
 */
export class Wakes {
  readonly #queue: string;
  readonly #listener: Listener;

  constructor(queue: string, listener: Listener) {
    this.#queue = queue;
    this.#listener = listener;
    const listeners = queues.get(queue) ?? new Set();
    queues.set(queue, listeners.add(listener));
  }

  /** Something in these boxes can be claimed in `inMs` (0: now). */
  tell(boxes: Iterable<number>, inMs: number): void {
    for (const box of boxes) for (const listener of queues.get(this.#queue) ?? []) listener(box, inMs);
  }

  close(): void {
    const listeners = queues.get(this.#queue);
    listeners?.delete(this.#listener);
    if (listeners?.size === 0) queues.delete(this.#queue);
  }
}
