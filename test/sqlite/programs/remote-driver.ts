// Runs in a process of its own (see `remote-driver.ts` beside this folder): one driver after another, told what to do.
import type { Driver, DriverSubscription, Receipt, Received, Settlement } from '../../../src/queue/driver.js';
import { Refusal } from '../../../src/queue/driver.js';
import { sqlite } from '../../../src/queue/sqlite/index.js';

export interface RemoteCall {
  readonly call: number;
  readonly verb: string;
  readonly subscription: number;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the verb takes
  readonly args: readonly any[];
}

export type RemoteError =
  | { readonly kind: 'refusal'; readonly code: string; readonly message: string; readonly remedy: string }
  | { readonly kind: 'raw'; readonly code: string; readonly message: string };

let driver: Driver | null = null;
const subscriptions = new Map<number, DriverSubscription>();
const receipts = new Map<number, Receipt>();
const waiting = new Map<number, AbortController>();
let last = 0;

const told = (error: unknown): RemoteError => {
  const { message, code } = error as Error & { code?: unknown };
  if (error instanceof Refusal) return { kind: 'refusal', code: error.code, message, remedy: error.remedy };
  return { kind: 'raw', code: String(code ?? ''), message };
};
const results = (answers: readonly { readonly status: string }[]) =>
  answers.map((each) => ('error' in each ? { ...each, error: told(each.error) } : each));
const receiptOf = (number: number): Receipt => receipts.get(number) ?? {};
const numbered = ({ receipt, ...rest }: Received) => {
  receipts.set(++last, receipt);
  return { ...rest, receipt: last };
};

async function answer({ call, verb, subscription, args }: RemoteCall): Promise<unknown> {
  const [first, second] = args;
  if (verb === 'make') {
    driver = sqlite(first);
    return driver.capabilities;
  }
  if (driver === null) throw new Error('no driver was made');
  const reader = subscriptions.get(subscription);
  if (verb === 'open') return driver.open({ logger: { info() {}, warn() {} }, emit() {} });
  if (verb === 'declare') return driver.declare(first, second);
  if (verb === 'send') return results(await driver.send(first));
  if (verb === 'ping') return null;
  if (verb === 'health') return driver.health();
  if (verb === 'close') return driver.close();
  if (verb === 'subscribe') {
    const onPaused = (paused: boolean): void => void process.send?.({ reader: second, paused });
    const made = await driver.subscribe({ ...first, onLost: () => {}, onPaused });
    subscriptions.set(second, made);
    return made.lease?.ms;
  }
  if (verb.startsWith('admin.')) {
    const act = driver.admin[verb.slice('admin.'.length) as keyof Driver['admin']] as (...all: unknown[]) => unknown;
    return act(...args);
  }
  if (reader === undefined) throw new Error('no such subscription');
  if (verb === 'receive') {
    const controller = new AbortController();
    waiting.set(call, controller);
    if (args[2] === true) controller.abort();
    try {
      return (await reader.receive(first, second, controller.signal)).map(numbered);
    } finally {
      waiting.delete(call);
    }
  }
  if (verb === 'settle') {
    const batch = (first as readonly (Settlement & { receipt: number })[]).map((settlement) => ({
      ...settlement,
      receipt: receiptOf(settlement.receipt),
    }));
    return results(await reader.settle(batch));
  }
  if (verb === 'extend') return reader.lease?.extend((first as number[]).map(receiptOf), second);
  if (verb === 'leave') return reader.close();
  throw new Error(`no verb ${verb}`);
}

process.on('message', (message: RemoteCall | { readonly abort: number }) => {
  if ('abort' in message) {
    waiting.get(message.abort)?.abort();
    return;
  }
  answer(message).then(
    (value) => process.send?.({ call: message.call, value }),
    (error: unknown) => process.send?.({ call: message.call, error: told(error) }),
  );
});
process.once('disconnect', () => process.exit(0));
