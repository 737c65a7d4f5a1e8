import type { Classification } from '../../driver.js';
import type { QueueErrorCode } from '../../errors.js';
import type { Fault, FaultVerb } from './plan.js';

/** What a faulty driver throws, or answers for an entry. Users meet it as the `cause` of a `QueueError`. */
export class InjectedFault extends Error {
  override readonly name = 'InjectedFault';

  constructor(
    readonly fault: Fault['fault'],
    readonly verb: FaultVerb,
    readonly classification: Classification,
  ) {
    super(`${fault} of ${verb}, injected by faulty()`);
  }
}

const retryableCodes: ReadonlySet<QueueErrorCode> = new Set([
  'unavailable',
  'timeout',
  'conflict',
  'resource-exhausted',
]);

/** The failure that a plan asks for: it happened before any effect. */
export function failureOf(
  fault: Fault['fault'],
  verb: FaultVerb,
  wanted: { readonly code?: QueueErrorCode | undefined; readonly retryable?: boolean | undefined } = {},
): InjectedFault {
  const { code = 'unavailable', retryable = retryableCodes.has(code) } = wanted;
  return new InjectedFault(fault, verb, { code, retryable, outcomeUnknown: false });
}

/** The call took effect and nobody was told. */
export function lostAnswerOf(verb: FaultVerb): InjectedFault {
  return new InjectedFault('lose-answer', verb, { code: 'unavailable', retryable: true, outcomeUnknown: true });
}
