import type {
  Classification,
  Driver,
  DriverHost,
  DriverLease,
  DriverSubscription,
  Receipt,
  Received,
  Send,
  SendResult,
  Settlement,
  SettleResult,
} from '../driver.js';

/** What may stand between the portable layer and a driver. Each gets the call that would have been made, and may make it, or not. */
export interface Interference {
  /** Is given what the driver would tell the queue with, to tell it something else. */
  readonly host?: (host: DriverHost) => void;
  readonly send?: (
    next: () => Promise<readonly SendResult[]>,
    batch: readonly Send[],
  ) => Promise<readonly SendResult[]>;
  readonly settle?: (
    next: (batch?: readonly Settlement[]) => Promise<readonly SettleResult[]>,
    batch: readonly Settlement[],
  ) => Promise<readonly SettleResult[]>;
  readonly receive?: (next: () => Promise<readonly Received[]>, signal: AbortSignal) => Promise<readonly Received[]>;
  readonly extend?: (
    next: () => Promise<readonly ('done' | 'lost')[]>,
    receipts: readonly Receipt[],
  ) => Promise<readonly ('done' | 'lost')[]>;
}

/** Thrown in the place of what a client library would throw. */
export class Interruption extends Error {
  override readonly name = 'Interruption';
  readonly classification: Classification;

  constructor(classification: Partial<Classification> = {}) {
    super('the call was interrupted by the conformance suite, with a secret: hunter2');
    this.classification = { code: 'unavailable', retryable: true, outcomeUnknown: false, ...classification };
  }
}

/** The driver, with something in its way. Everything else passes. */
export function interfered(driver: Driver, interference: Interference): Driver {
  const { send, receive, settle, extend } = interference;
  return {
    name: driver.name,
    clock: driver.clock,
    admin: driver.admin,
    get capabilities() {
      return driver.capabilities;
    },
    open: (host) => {
      interference.host?.(host);
      return driver.open(host);
    },
    declare: (topology, options) => driver.declare(topology, options),
    send: (batch, within) =>
      send === undefined ? driver.send(batch, within) : send(() => driver.send(batch, within), batch),
    subscribe: async (options) => {
      const subscription = await driver.subscribe(options);
      return {
        lease: subscription.lease === null ? null : interferedLease(subscription.lease, extend),
        receive: (max, waitMs, signal) =>
          receive === undefined
            ? subscription.receive(max, waitMs, signal)
            : receive(() => subscription.receive(max, waitMs, signal), signal),
        settle: (batch) =>
          settle === undefined
            ? subscription.settle(batch)
            : settle((part = batch) => subscription.settle(part), batch),
        close: () => subscription.close(),
      } satisfies DriverSubscription;
    },
    classify: (error) => (error instanceof Interruption ? error.classification : driver.classify(error)),
    health: () => driver.health(),
    close: () => driver.close(),
  };
}

function interferedLease(lease: DriverLease, extend: Interference['extend']): DriverLease {
  if (extend === undefined) return lease;
  return { ms: lease.ms, extend: (receipts, ms) => extend(() => lease.extend(receipts, ms), receipts) };
}
