/** Something in the broker, as it is declared; a passive one is only looked for. What is printed of the topology is what is declared. */
export type ObjectSpec = ExchangeSpec | QueueSpec | BindingSpec;

export interface ExchangeSpec {
  readonly kind: 'exchange';
  readonly name: string;
  readonly type: string;
  readonly passive: boolean;
  readonly durable: boolean;
  readonly autoDelete: boolean;
  readonly internal: boolean;
  readonly arguments: Arguments;
}

export interface QueueSpec {
  readonly kind: 'queue';
  readonly name: string;
  readonly passive: boolean;
  readonly durable: boolean;
  readonly exclusive: boolean;
  readonly autoDelete: boolean;
  readonly arguments: Arguments;
}

export interface BindingSpec {
  readonly kind: 'binding';
  readonly queue: string;
  readonly exchange: string;
  readonly routingKey: string;
  readonly arguments: Arguments;
  /** Undone instead of made. */
  readonly undo: boolean;
}

export type Arguments = Readonly<Record<string, string | number | boolean>>;

const plain = { passive: false, durable: true, autoDelete: false } as const;

export function exchangeSpec(name: string, type: string): ExchangeSpec {
  return { kind: 'exchange', name, type, ...plain, internal: false, arguments: {} };
}

export function queueSpec(name: string, args: Arguments): QueueSpec {
  return { kind: 'queue', name, ...plain, exclusive: false, arguments: args };
}

export function describeSpec(spec: ObjectSpec): string {
  if (spec.kind !== 'binding') return `${spec.kind} "${spec.name}"`;
  return `binding of queue "${spec.queue}" to exchange "${spec.exchange}" with "${spec.routingKey}"`;
}
