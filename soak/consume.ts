import { type Consumer, type Delivery, type Queue, QueueError, sleep, systemClock } from 'signalbox';
import { errorCode } from './error-code.js';
import { type Journal, monotonicMs, type SettleOutcome, type Verb } from './journal.js';
import { type Fate, fateOf, groupsOf, invoiceOf, type Plan, planOf, type TopicName, topicNames } from './plan.js';
import { randomOf } from './random.js';
import { bodyOf, type SoakTopics } from './topics.js';

export interface ConsumePlan extends Plan {
  /** Of the process, unique in the run. */
  readonly process: string;
}

type Body = { readonly n: number };

/** What failed without effect is settled again after this long. */
const retryPauseMs = 100;

/** Consumes all groups of all topics, as the plan says, until they are closed. */
export async function consumePlan(
  queue: Pick<Queue, 'consume'>,
  topics: SoakTopics,
  journal: Journal,
  plan: ConsumePlan,
): Promise<readonly Consumer[]> {
  let handOuts = 0;
  const reading = topicNames.flatMap((topic) =>
    groupsOf[topic].map((group) =>
      queue.consume(
        topics[topic],
        (delivery) => handle(topics, journal, plan, topic, delivery, `${plan.process}/${++handOuts}`),
        { group },
      ),
    ),
  );
  return Promise.all(reading);
}

async function handle(
  topics: SoakTopics,
  journal: Journal,
  plan: ConsumePlan,
  topic: TopicName,
  delivery: Delivery<Body>,
  hand: string,
): Promise<void> {
  const { n } = delivery.message.body;
  const { seed, messages } = plan;
  const { group, attempt, postpones, redeliveries } = delivery;
  const { id } = delivery.message;
  journal.write({ e: 'hand', hand, n, topic, group, id, attempt, postpones, redeliveries, at: monotonicMs() });
  delivery.signal.addEventListener('abort', () => {
    const { reason } = delivery.signal;
    if (reason instanceof QueueError && reason.code === 'lease-lost')
      journal.write({ e: 'lost', hand, at: monotonicMs() });
  });
  await sleep(systemClock, workMs(seed, n, group));
  const fate = dueFate(fateOf(seed, n, group), delivery);
  const leaves = topic === 'order' && fate.verb === 'ack' ? invoiceOf(messages, n) : null;
  if (leaves !== null) {
    await delivery.outbox.publishAfter(topics.invoice, bodyOf(leaves), planOf(plan, leaves).delayMs);
  }
  for (;;) {
    const delayMs = fate.verb === 'nack' || fate.verb === 'postpone' ? fate.delayMs : 0;
    journal.write({ e: 'settle', hand, verb: fate.verb, delayMs, leaves, at: monotonicMs() });
    const outcome = await outcomeOf(journal, fate.verb, settle(delivery, fate));
    journal.write({ e: 'settled', hand, outcome, at: monotonicMs() });
    if (outcome !== 'failed') return;
    await sleep(systemClock, retryPauseMs);
  }
}

/** A fate comes true at the first attempt; what returns from it is acked. */
function dueFate(fate: Fate, { attempt, postpones }: Delivery): Fate {
  return fate.verb === 'reject' || (attempt === 1 && postpones === 0) ? fate : { verb: 'ack' };
}

function settle(delivery: Delivery, fate: Fate): Promise<void> {
  switch (fate.verb) {
    case 'ack':
      return delivery.ack();
    case 'nack':
      return delivery.nack(fate.delayMs, 'sent back by the soak');
    case 'postpone':
      return delivery.postpone(fate.delayMs);
    case 'reject':
      return delivery.reject('poison of the soak');
  }
}

async function outcomeOf(journal: Journal, verb: Verb, settling: Promise<void>): Promise<SettleOutcome> {
  try {
    await settling;
    return 'done';
  } catch (error) {
    journal.write({ e: 'error', operation: verb, code: errorCode(error), at: monotonicMs() });
    if (!(error instanceof QueueError) || error.outcomeUnknown) return 'unknown';
    // Closed under it: whoever gets it next has it as it was.
    return error.code === 'lease-lost' || error.code === 'closed' || error.code === 'already-settled'
      ? 'lost'
      : 'failed';
  }
}

/** Mostly a few milliseconds; one in a hundred takes long enough to be in hand at a kill. */
function workMs(seed: number, n: number, group: string): number {
  const lot = randomOf(seed, n, group, 'work');
  return lot < 0.01 ? 500 : lot * 8;
}
