import type { Writable } from 'node:stream';

/**
 * Lets what is written to a socket in one go leave with two system calls: the first at once, as it is mostly the only one and the broker
 * waits for it, the rest together. amqplib writes each message and each ack by itself, which takes a third of its processor time (measured
 * on 200-byte messages: 12 us each, and 8 us with this), and makes the broker read them one by one. Nothing waits for longer than until
 * the event loop goes on.
 */
export function gatherWrites(socket: Writable): void {
  const write = socket.write.bind(socket) as (...args: unknown[]) => boolean;
  let isGathering = false;
  const uncork = (): void => {
    isGathering = false;
    socket.uncork();
  };
  socket.write = (...args: unknown[]): boolean => {
    const answer = write(...args);
    if (!isGathering) {
      isGathering = true;
      socket.cork();
      process.nextTick(uncork);
    }
    return answer;
  };
}
