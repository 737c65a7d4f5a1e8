import type { MappedTopic } from '../queue/amqp/index.js';
import type { Clock, Driver } from '../queue/index.js';

/** Where text goes. `process.stdout` fits. */
export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  /** Width of the terminal; absent where there is none. */
  readonly columns?: number;
}

export type StopSignal = 'SIGINT' | 'SIGTERM';

/** The world as the command line sees it: the process's own in `processIo`, a made one in tests. */
export interface CliIo {
  /** Results, and nothing else. */
  readonly stdout: Output;
  /** Aborted once nobody reads stdout any more (`| head`): what only goes on in order to be read ends. */
  readonly readerGone: AbortSignal;
  /** Everything that is no result: progress, logs, errors. */
  readonly stderr: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The working folder. */
  readonly folder: string;
  readonly clock: Clock;
  /**
   * A driver, not yet opened, on the backend that a URL names. Several on one URL reach the same messages. `topics`, on RabbitMQ
   * alone, are those that are on exchanges and queues of somebody else.
   */
  connect(url: string, topics?: Readonly<Record<string, MappedTopic>>): Promise<Driver>;
  /** Calls `listener` for each request to stop. Answers a function that stops listening. */
  onSignal(listener: (signal: StopSignal) => void): () => void;
  /** Ends the process at once, whatever is under way. */
  forceExit(code: number): void;
}
