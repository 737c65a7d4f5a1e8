import { type Program, runProgram, seenBy } from './program.js';

/** All that rabbitmqctl needs to reach a node. Plain data: another process can use it too. */
export interface RabbitNode {
  readonly program: Program;
  readonly folder: string;
  readonly nodeName: string;
  readonly epmdPort: number;
}

/** An Erlang system has to start for each call: 1 to 3 s. */
export async function rabbitmqctl(node: RabbitNode, args: readonly string[]): Promise<string> {
  const argv = ['/usr/lib/rabbitmq/bin/rabbitmqctl', '--node', node.nodeName, '--quiet', ...args];
  return runProgram(node.program, node.folder, argv, { env: nodeEnvironment(node), deadlineMs: 120_000 });
}

/** What the node and its tools have in common: the cookie in HOME, where the names of nodes are known, no settings of the machine. */
export function nodeEnvironment({ program, folder, nodeName, epmdPort }: RabbitNode): NodeJS.ProcessEnv {
  return {
    HOME: seenBy(program, folder),
    RABBITMQ_NODENAME: nodeName,
    RABBITMQ_CONF_ENV_FILE: seenBy(program, folder, 'none.conf'),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    ERL_EPMD_PORT: String(epmdPort),
  };
}
