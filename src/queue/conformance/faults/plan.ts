import { z } from 'zod';
import type { Received, Send, Settlement } from '../../driver.js';
import { type QueueErrorCode, queueErrorCodes } from '../../errors.js';
import { milliseconds, positiveInteger } from '../../options.js';

/** A call of the driver interface, as a fault may look at it. */
export type FaultCall =
  | { readonly verb: 'open' }
  | { readonly verb: 'declare' }
  | { readonly verb: 'subscribe'; readonly topic: string; readonly group: string }
  /** `within`: inside a caller's own transaction. */
  | { readonly verb: 'send'; readonly entries: readonly Send[]; readonly within: boolean }
  /** `received` is empty before the driver has answered. */
  | {
      readonly verb: 'receive';
      readonly topic: string;
      readonly group: string;
      readonly max: number;
      readonly received: readonly Received[];
    }
  | {
      readonly verb: 'settle';
      readonly topic: string;
      readonly group: string;
      readonly settlements: readonly Settlement[];
      /** Ids of the messages that are settled, in the order of the settlements; null for a foreign one. */
      readonly ids: readonly (string | null)[];
    }
  | {
      readonly verb: 'extend';
      readonly topic: string;
      readonly group: string;
      readonly ids: readonly (string | null)[];
    };

export type FaultVerb = FaultCall['verb'];

/** When a fault strikes. All that is given must hold; nothing given is every time. */
export interface When {
  /** Looks at each call of the fault's verb; only those that it accepts count. Default: all. */
  readonly match?: ((call: FaultCall) => boolean) | undefined;
  /** Only the nth of them, from 1; a list names several. */
  readonly nth?: number | readonly number[] | undefined;
  /** Each with this probability, 0 to 1, by the plan's seed. */
  readonly probability?: number | undefined;
  /** At most so often in all. Default: no limit. */
  readonly times?: number | undefined;
}

/** Before the driver is called, or after it has answered and before its answer is passed on. Default: `call`. */
export type At = 'call' | 'answer';

export type Fault =
  /** The call never reaches the driver and rejects. */
  | (When & { readonly fault: 'fail'; readonly of: FaultVerb } & Failing)
  /**
   * Single entries of a send, or single settlements, are answered `failed` and never reach the driver. As the
   * driver interface demands, later entries of the same topic and key fail with them, retryably. `match` looks
   * at one entry at a time.
   */
  | (When & { readonly fault: 'fail-entry'; readonly of: 'send' | 'settle' } & Failing)
  /** The call takes effect and rejects: `unavailable`, retryable, outcome unknown. */
  | (When & { readonly fault: 'lose-answer'; readonly of: 'send' | 'settle' | 'extend' })
  /**
   * Each stored entry may be stored once more under another nonce, as a backend that cannot recognise a
   * repeated send would. One with an idempotency key is caught by it. `match` looks at one entry at a time.
   */
  | (When & { readonly fault: 'duplicate' })
  /** Holds up the call, or its answer, for `delayMs` on the clock. */
  | (When & { readonly fault: 'delay'; readonly of: FaultVerb; readonly delayMs: number; readonly at?: At | undefined })
  /** Calls the `cut` of the options. */
  | (When & { readonly fault: 'cut'; readonly of: FaultVerb; readonly at?: At | undefined })
  /**
   * What was just handed out is no longer its holder's, who learns it late. Where the driver has leases, this one
   * is made to end 1 ms later, by the backend itself, and extensions are kept from it: the message comes again,
   * counted as any lost lease. Elsewhere the message is given back after 1 ms behind its holder's back, and `onLost`
   * says so, as after a closed channel. `match` looks at one message at a time.
   */
  | (When & { readonly fault: 'lose-lease' });

/** What an injected failure is taken for. */
interface Failing {
  /** Default: `unavailable`. */
  readonly code?: QueueErrorCode | undefined;
  /** Whether the same call may succeed later. Default: true for `unavailable`, `timeout`, `conflict` and `resource-exhausted`. */
  readonly retryable?: boolean | undefined;
}

/** Data: the same plan on the same calls strikes the same ones. */
export interface FaultPlan {
  /** Default: 1. Each fault draws from a sequence of its own, so that adding one leaves the others as they were. */
  readonly seed?: number | undefined;
  readonly faults: readonly Fault[];
}

const verbs = ['open', 'declare', 'subscribe', 'send', 'receive', 'settle', 'extend'] as const satisfies FaultVerb[];
const oneOf = <const Values extends readonly [string, ...string[]]>(values: Values) =>
  z.enum(values, `must be one of ${values.join(', ')}`);

const when = {
  match: z.custom<When['match']>((value) => typeof value === 'function', 'must be a function').optional(),
  nth: z.union([positiveInteger, z.array(positiveInteger).readonly()], 'must be whole numbers from 1').optional(),
  probability: z
    .number('must be a number from 0 to 1')
    .min(0, 'must be a number from 0 to 1')
    .max(1, 'must be a number from 0 to 1')
    .optional(),
  times: positiveInteger.optional(),
};
const failing = {
  code: oneOf(queueErrorCodes).optional(),
  retryable: z.boolean('must be true or false').optional(),
};
const at = oneOf(['call', 'answer']).optional();
const delayMs = milliseconds.refine(Number.isFinite, 'must be finite');

export const planSchema = z.strictObject({
  seed: z.number('must be a whole number').int('must be a whole number').default(1),
  faults: z
    .array(
      z.discriminatedUnion(
        'fault',
        [
          z.strictObject({ fault: z.literal('fail'), of: oneOf(verbs), ...failing, ...when }),
          z.strictObject({ fault: z.literal('fail-entry'), of: oneOf(['send', 'settle']), ...failing, ...when }),
          z.strictObject({ fault: z.literal('lose-answer'), of: oneOf(['send', 'settle', 'extend']), ...when }),
          z.strictObject({ fault: z.literal('duplicate'), ...when }),
          z.strictObject({ fault: z.literal('delay'), of: oneOf(verbs), delayMs, at, ...when }),
          z.strictObject({ fault: z.literal('cut'), of: oneOf(verbs), at, ...when }),
          z.strictObject({ fault: z.literal('lose-lease'), ...when }),
        ],
        'must be one of fail, fail-entry, lose-answer, duplicate, delay, cut, lose-lease',
      ),
      'must be an array of faults',
    )
    .readonly(),
});
