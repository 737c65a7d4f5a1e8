import type { Send, Settlement, SettleResult } from '../driver.js';
import { classify, type Link } from './connection/index.js';
import type { Delays } from './delays.js';
import type { DurabilityGate } from './durability-gate.js';
import type { Handed } from './feed.js';
import { copyOf } from './message-coding.js';
import type { Sending } from './sending.js';

export interface SettlingOptions {
  readonly link: Link;
  readonly sending: Sending;
  readonly delays: Delays;
  readonly gate: DurabilityGate;
}

const done: SettleResult = Object.freeze({ status: 'done' });
const lost: SettleResult = Object.freeze({ status: 'lost' });

/**
 * Ends what is in hand. A message is acked on the channel that delivered it, and not before what takes its place is
 * confirmed: a crash in between leaves it twice, never not at all.
 */
export class Settling {
  readonly #options: SettlingOptions;

  constructor(options: SettlingOptions) {
    this.#options = options;
  }

  settle(batch: readonly Settlement[]): Promise<readonly SettleResult[]> {
    const answers = batch.map((settlement) => this.#one(settlement));
    // Mostly nothing has to be waited for, and waiting costs a promise for each.
    return areResults(answers) ? Promise.resolve(answers) : Promise.all(answers);
  }

  #one(settlement: Settlement): SettleResult | Promise<SettleResult> {
    const handed = settlement.receipt as Handed;
    // Of two settlements the first counts, also where it takes longer; if it fails, the other one does.
    if (handed.settling !== null) return handed.settling.then(() => this.#one(settlement));
    if (!handed.feed.holds(handed)) return lost;
    if (settlement.kind === 'ack' && settlement.outbox.length === 0) return answerOf(handed.feed.ack(handed));
    const result = this.#withConfirms(handed, settlement).finally(() => {
      handed.settling = null;
    });
    handed.settling = result.catch(() => {});
    return result;
  }

  async #withConfirms(handed: Handed, settlement: Settlement): Promise<SettleResult> {
    if (settlement.kind === 'give-back') return answerOf(await handed.feed.giveBack(handed));
    return settlement.kind === 'ack' ? this.#ackWith(handed, settlement.outbox) : this.#release(handed, settlement);
  }

  async #ackWith(handed: Handed, outbox: readonly Send[]): Promise<SettleResult> {
    handed.stored ??= new Set();
    const { stored } = handed;
    const left = outbox.filter(({ nonce }) => !stored.has(nonce));
    const arrived = handed.delivery.message;
    const results = await this.#options.sending.send(
      left.map((send) => (send.target.kind === 'dead' ? { ...send, arrived } : send)),
    );
    for (const [index, { nonce }] of left.entries()) {
      if (results[index]?.status !== 'failed') stored.add(nonce);
    }
    const failed = results.find((result) => result.status === 'failed');
    return failed ?? ackForSure(handed);
  }

  /** A copy takes its place, with other counts. */
  async #release(handed: Handed, { delayMs, counts }: Extract<Settlement, { kind: 'release' }>): Promise<SettleResult> {
    const { link, delays, gate } = this.#options;
    const { queue, topic, group } = handed.feed.source;
    const copy = copyOf(handed.delivery.message, counts);
    try {
      if (delayMs > 0) {
        const destination = { exchange: '', routingKey: queue, topic, groups: [group] };
        await delays.send(copy, { restMs: delayMs, destination });
      } else {
        await link.publish({ exchange: '', routingKey: queue, body: copy.body, properties: copy.properties });
        if (!gate.isDurable(queue)) await gate.untilDurable([queue]);
      }
    } catch (error) {
      // Its queue is gone, and what was in it.
      return classify(error).code === 'unroutable' ? lost : { status: 'failed', error };
    }
    return ackForSure(handed);
  }
}

/**
 * With a copy on its way, the original must not come again because its ack was still on the wire when the process
 * died: the broker's answer to whatever follows on the channel says that it has read the ack.
 */
async function ackForSure(handed: Handed): Promise<SettleResult> {
  const { channel } = handed.delivery;
  const answer = answerOf(handed.feed.ack(handed));
  // A channel that is lost now may have carried the ack, or not: done, as for every ack of AMQP.
  if (answer === done) await channel.flushed().catch(() => {});
  return answer;
}

function areResults(answers: readonly (SettleResult | Promise<SettleResult>)[]): answers is readonly SettleResult[] {
  return !answers.some((answer) => answer instanceof Promise);
}

function answerOf(answer: 'done' | 'lost'): SettleResult {
  return answer === 'done' ? done : lost;
}
