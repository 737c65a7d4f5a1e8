export { openQueue } from './open-queue.js';
export * from './queue/index.js';
