import assert from 'node:assert/strict';
import { defineTopic, type Handler, openQueue, VirtualClock } from 'signalbox';
import { faulty } from 'signalbox/conformance';
import { memory } from 'signalbox/memory';
import { z } from 'zod';

// What is tested: a handler that books orders and asks for an invoice of each.

const orders = defineTopic('order.placed', { schema: z.object({ order: z.string(), cents: z.number().int() }) });
const invoices = defineTopic('invoice.wanted', { schema: z.object({ order: z.string(), cents: z.number().int() }) });

/** Stands for a table with a unique key. */
class Ledger {
  readonly #bookings = new Map<string, number>();

  /** Booking an order again changes nothing: a queue delivers at least once. */
  book(order: string, cents: number): void {
    if (!this.#bookings.has(order)) this.#bookings.set(order, cents);
  }

  get total(): number {
    return [...this.#bookings.values()].reduce((sum, cents) => sum + cents, 0);
  }
}

const bookOrder =
  (ledger: Ledger): Handler<z.output<typeof orders.schema>> =>
  async ({ message, outbox }) => {
    ledger.book(message.body.order, message.body.cents);
    // Leaves with the ack; the key keeps a second delivery from asking for a second invoice.
    await outbox.publish(invoices, message.body, { idempotencyKey: message.body.order });
  };

// The test: everything that can go wrong between the handler and its backend does, and the books are right.

/** Books 50 orders on a backend that fails as planned; answers which faults there were. A minute passes in milliseconds. */
export async function everyOrderIsBookedOnce(seed: number): Promise<ReadonlySet<string>> {
  const clock = new VirtualClock();
  const backend = memory({ clock });
  const driver = faulty(
    backend,
    {
      seed,
      faults: [
        { fault: 'lose-answer', of: 'send', probability: 0.1 },
        { fault: 'lose-answer', of: 'settle', probability: 0.2 },
        { fault: 'fail', of: 'receive', probability: 0.1 },
        { fault: 'duplicate', match: (call) => call.verb === 'send', probability: 0.3 },
        { fault: 'lose-lease', probability: 0.1 },
        { fault: 'delay', of: 'settle', delayMs: 250, probability: 0.2 },
        { fault: 'cut', of: 'settle', probability: 0.1 },
      ],
    },
    { cut: () => backend.cut() },
  );
  const queue = await openQueue(driver, { topics: [orders, invoices] });
  const ledger = new Ledger();
  const invoiced: string[] = [];
  await queue.consume(invoices, ({ message }) => invoiced.push(message.id));
  await queue.consume(orders, bookOrder(ledger), { concurrency: 4, prefetch: 8 });

  for (let i = 1; i <= 50; i++) {
    void queue.publish(orders, { order: `order ${i}`, cents: 100 });
    await clock.advance(50);
  }
  driver.calm();
  await clock.advance(60_000);

  assert.equal(ledger.total, 50 * 100);
  // An invoice may be delivered twice, like everything else. No order has two.
  assert.equal(new Set(invoiced).size, 50);
  await queue.close();
  return new Set(driver.injected.map(({ fault }) => fault));
}

if (process.argv[1] === import.meta.filename) {
  for (let seed = 1; seed <= 20; seed++) await everyOrderIsBookedOnce(seed);
  console.log('20 plans of faults, and every order was booked once');
}
