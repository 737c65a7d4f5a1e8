import type { Species } from './mutant.js';

export const memoryMutants: Species = {
  title: 'memory driver',
  mutants: [
    {
      name: 'delivers early',
      file: 'memory/group.ts',
      find: 'copy.dueAt = delayMs > 0 ? now + delayMs : now;',
      replace: 'copy.dueAt = delayMs > 0 ? now + delayMs - 1 : now;',
      killedBy: [
        'a-delayed-message-is-not-seen-early-nor-late',
        'a-delayed-message-waits-in-full-to-the-millisecond',
        'a-client-whose-clock-is-wrong-delays-correctly',
        'the-wrong-clock-of-a-publisher-and-a-consumer-changes-no-delay',
        'publish-after-waits-for-its-delay',
        'a-fraction-of-the-resolution-is-rounded-up',
        'a-release-comes-back-after-its-delay-with-its-new-counts',
        'a-nack-comes-again-as-the-next-attempt-after-its-delay',
        'a-postpone-waits-for-its-delay',
        'the-delay-of-an-outbox-entry-counts-from-the-ack',
        'each-retry-waits-for-its-step-of-the-back-off',
        'a-dead-letter-says-what-and-why-and-keeps-the-message',
        'the-first-failure-of-many-is-the-first-failure-time',
        'five-attempts-with-the-default-back-off',
      ],
    },
    {
      name: 'hands out what is paused',
      file: 'memory/group.ts',
      find: 'if (this.#paused) return [];',
      replace: '',
      killedBy: [
        'nothing-is-started-once-a-pause-has-resolved',
        'what-is-in-hand-when-its-group-is-paused-is-settled-as-ever',
        'what-was-not-started-goes-back-and-is-no-attempt',
        'whoever-subscribes-to-a-paused-group-waits',
        'two-who-pause-at-once-are-both-certain',
        'of-a-paused-group-nothing-is-handed-out-whatever-falls-due',
        'a-lease-that-ends-while-its-group-is-paused-hands-nothing-out',
        'a-pause-holds-for-clients-that-come-later',
        'pausing-and-resuming-twice-is-once',
      ],
    },
    {
      name: 'wakes nobody at a resume',
      file: 'memory/group.ts',
      find: 'this.#tellReaders();\n    this.serve(now);',
      replace: 'this.#tellReaders();',
      killedBy: ['a-resume-wakes-who-waits'],
    },
    {
      name: 'tells no reader of a pause',
      file: 'memory/group.ts',
      find: 'this.#paused = true;\n    this.#tellReaders();',
      replace: 'this.#paused = true;',
      killedBy: [
        'nothing-is-started-once-a-pause-has-resolved',
        'what-was-not-started-goes-back-and-is-no-attempt',
        'depth-and-health-say-that-a-group-is-paused',
      ],
    },
    {
      name: 'wakes nobody when a lease ends',
      file: 'memory/group.ts',
      find: 'this.#waiting.alarm(Math.min(this.#delayed.peek()?.dueAt ?? Number.POSITIVE_INFINITY, this.#leasesHoldUntil));',
      replace: 'this.#waiting.alarm(this.#delayed.peek()?.dueAt ?? Number.POSITIVE_INFINITY);',
      killedBy: ['an-extension-by-hand-keeps-the-lease-for-so-long'],
    },
    {
      name: 'loses on nack',
      file: 'memory/group.ts',
      find: 'this.add(hold.copy, delayMs, now);',
      replace: 'if (delayMs > 0) this.add(hold.copy, delayMs, now);',
      killedBy: [
        'the-bytes-that-were-handed-out-are-the-readers-own',
        'what-is-released-comes-back-whole-with-counts-of-any-size',
        'a-release-without-a-delay-comes-back-at-once',
        'the-nack-of-the-last-attempt-makes-a-dead-letter-with-its-reason',
        'each-hand-out-without-an-answer-is-counted-and-an-answer-counts-anew',
        'counts-hold-over-kills-and-new-clients',
        'the-outbox-of-a-stale-receipt-is-not-stored',
        'an-ack-whose-outbox-nobody-accepts-is-refused-and-the-delivery-can-be-settled-otherwise',
        'one-stale-receipt-of-a-batch-stops-no-other',
        'counts-hold-over-a-killed-process',
        'the-format-of-a-message-is-kept',
        'what-is-in-hand-when-its-group-is-paused-is-settled-as-ever',
        'of-a-paused-group-nothing-is-handed-out-whatever-falls-due',
      ],
    },
    {
      name: 'forgets the count at restart',
      file: 'memory/group.ts',
      find: 'for (const hold of holds) this.#putBack(hold);',
      replace: `for (const hold of holds) {
      hold.copy.counts = { ...hold.copy.counts, attempt: 1 };
      this.#putBack(hold);
    }`,
      killedBy: ['counts-hold-over-kills-and-new-clients', 'counts-hold-over-a-killed-process'],
    },
    {
      name: 'acks a stale receipt',
      file: 'memory/store.ts',
      find: 'if (hold === null) return lost;',
      replace: "if (hold === null) return settlement.kind === 'ack' ? done : lost;",
      killedBy: [
        'what-waits-behind-a-lost-lease-is-not-handed-out-before-it',
        'an-extension-may-shorten-a-lease',
        'the-outbox-of-a-stale-receipt-is-not-stored',
        'a-nack-whose-answer-was-lost-leaves-exactly-one-copy',
        'a-reject-whose-answer-was-lost-leaves-exactly-one-copy',
        'settling-again-is-lost-and-changes-nothing',
        'one-stale-receipt-of-a-batch-stops-no-other',
        'a-holder-whose-lease-is-lost-cannot-touch-the-newer-one',
        'a-lost-lease-is-lost-also-when-nobody-took-the-message-yet',
        'an-ack-whose-answer-was-lost-is-never-called-lease-lost',
      ],
    },
    {
      name: 'settles after the end of a lease that nobody noticed',
      file: 'memory/group.ts',
      find: `    this.#expireLeases(now);
    return hold.live;`,
      replace: '    return hold.live;',
      killedBy: ['a-lost-lease-is-lost-also-when-nobody-took-the-message-yet'],
    },
    {
      name: 'lets a delayed message block its key',
      file: 'memory/group.ts',
      find: `this.#backlog.letGo(hold.copy);
    hold.copy.counts`,
      replace: `if (delayMs <= 0) this.#backlog.letGo(hold.copy);
    hold.copy.counts`,
      killedBy: [
        'no-two-handlers-run-with-one-key-in-any-process',
        'a-released-message-lets-its-key-go-on-and-comes-back-behind',
        'later-messages-of-a-key-go-on-while-an-earlier-one-waits-for-its-retry',
        'a-key-that-always-fails-stops-no-other-and-ends',
        'a-dead-letter-says-what-and-why-and-keeps-the-message',
        'the-key-of-a-handler-that-ran-out-of-time-waits-until-it-has-returned',
        'the-time-out-of-a-handler-that-returns-later-is-a-failure-all-the-same',
      ],
    },
    {
      name: 'lets two of a key run at once',
      file: 'memory/ordered-backlog.ts',
      find: 'line.busy = true;',
      replace: 'line.busy = line.waiting.size > 1;',
      killedBy: [
        'what-is-published-while-its-key-is-in-hand-waits-in-any-process',
        'an-ordered-topic-that-was-paused-keeps-the-order-of-its-keys',
      ],
    },
    {
      name: 'lets a slow key stop its lane',
      file: 'memory/ordered-backlog.ts',
      find: 'if (line === undefined) return undefined;',
      replace: `if (line === undefined) return undefined;
    if ([...this.#lines.values()].some(({ busy, lane }) => busy && lane === line.lane)) {
      this.#offer(line);
      return undefined;
    }`,
      killedBy: [
        'what-is-published-while-its-key-is-in-hand-waits-in-any-process',
        'a-slow-key-stops-no-other-whatever-waits-behind-it',
        'a-slow-key-stops-no-other-while-no-more-than-a-window-waits-behind-it',
        'an-ordered-consumer-holds-64-per-lane',
      ],
    },
    {
      name: 'swallows a re-publish from inside the handler',
      file: 'memory/group.ts',
      find: `    this.#promote(now);
    copy.place = ++this.#lastPlace;`,
      replace: `    this.#promote(now);
    const inHand = [...this.#readers].flatMap(({ holds }) => holds);
    if (inHand.some((hold) => hold.copy.message.id === copy.message.id)) return;
    copy.place = ++this.#lastPlace;`,
      killedBy: [
        'publishing-an-id-again-from-its-own-handler-is-a-new-message',
        'a-message-published-from-a-handler-is-a-fresh-one',
      ],
    },
    {
      name: 'duplicates on give-back',
      file: 'memory/group.ts',
      find: `hold.copy.unanswered--;
    this.#putBack(hold);`,
      replace: `hold.copy.unanswered--;
    this.#putBack(hold);
    this.#backlog.add({ ...hold.copy });`,
      killedBy: [
        'leaving-the-loop-of-a-subscription-lets-the-unsettled-come-again',
        'what-nobody-starts-for-ten-minutes-goes-to-others',
        'what-is-given-back-or-left-by-a-holder-returns-to-its-old-place',
        'what-is-given-back-is-there-for-others-at-once',
        'a-clean-stop-gives-back-what-was-not-started',
        'a-clean-stop-on-an-ordered-topic-gives-back-what-was-not-started',
        'a-postpone-whose-answer-was-lost-leaves-exactly-one-copy',
        'one-killer-among-64-held-messages-ends-as-exactly-one-dead-letter-on-unordered-topics',
        'one-killer-among-64-held-messages-ends-as-exactly-one-dead-letter-on-ordered-topics',
        'three-killers-among-64-held-messages-end-as-three-dead-letters',
        'what-was-redelivered-more-than-twice-is-started-alone',
        'nothing-is-started-once-a-close-has-begun',
        'nothing-is-started-once-a-pause-has-resolved',
        'what-was-not-started-goes-back-and-is-no-attempt',
      ],
    },
    {
      name: 'counts a give-back as attempt',
      file: 'memory/group.ts',
      find: 'hold.copy.unanswered--;',
      replace: `hold.copy.unanswered--;
    hold.copy.counts = { ...hold.copy.counts, attempt: hold.copy.counts.attempt + 1 };`,
      killedBy: [
        'what-nobody-starts-for-ten-minutes-goes-to-others',
        'what-is-given-back-is-there-for-others-at-once',
        'a-clean-stop-gives-back-what-was-not-started',
        'a-clean-stop-on-an-ordered-topic-gives-back-what-was-not-started',
        'what-was-not-started-goes-back-and-is-no-attempt',
      ],
    },
    {
      name: 'counts a give-back as redelivery',
      file: 'memory/group.ts',
      find: 'hold.copy.unanswered--;',
      replace: '',
      killedBy: [
        'what-is-given-back-is-there-for-others-at-once',
        'a-clean-stop-gives-back-what-was-not-started',
        'a-clean-stop-on-an-ordered-topic-gives-back-what-was-not-started',
        'three-killers-among-64-held-messages-end-as-three-dead-letters',
        'what-was-redelivered-more-than-twice-is-started-alone',
        'what-was-not-started-goes-back-and-is-no-attempt',
      ],
    },
    {
      name: 'sends the outbox of a stale ack',
      file: 'memory/store.ts',
      find: 'if (hold === null) return lost;',
      replace: `if (hold === null && settlement.kind === 'ack') this.#sending.sendAll(settlement.outbox, now);
    if (hold === null) return lost;`,
      killedBy: ['the-outbox-of-a-stale-receipt-is-not-stored'],
    },
    {
      name: 'acks although its outbox is refused',
      file: 'memory/store.ts',
      find: "if (error !== null) return { status: 'failed', error };",
      replace: '',
      killedBy: [
        'an-entry-that-fails-fails-the-ack-and-the-message-stays-held',
        'of-an-outbox-with-an-entry-that-fails-nothing-is-stored',
        'an-ack-whose-outbox-nobody-accepts-is-refused-and-the-delivery-can-be-settled-otherwise',
        'a-handler-whose-outbox-nobody-accepts-has-failed',
        'a-dead-letter-is-stored-with-the-ack-of-its-message-or-not-at-all',
      ],
    },
    {
      name: 'stores a part of an outbox',
      file: 'memory/sending.ts',
      find: "if (placement.kind === 'answered' && placement.result.status === 'failed') return placement.result.error;",
      replace: `if (placement.kind === 'answered' && placement.result.status === 'failed') return placement.result.error;
      this.send(send, now);`,
      killedBy: ['of-an-outbox-with-an-entry-that-fails-nothing-is-stored'],
    },
    {
      name: "lets a group's dead letter take another group's copy",
      file: 'memory/sending.ts',
      find: 'placement.group.dead.bury({',
      replace: `for (const other of placement.topic.groups.values()) {
      const thief = { leaseMs: 1, holds: [], add() {}, remove() {} };
      for (const taken of other === placement.group ? [] : other.take(thief as never, 1_000, now)) {
        if (taken.message.id === message.id) other.ack(taken.receipt as never);
        else other.giveBack(taken.receipt as never);
      }
    }
    placement.group.dead.bury({`,
      killedBy: [
        'a-crash-loop-in-one-group-takes-nothing-from-another',
        'burying-redriving-and-purging-in-one-group-is-not-seen-by-another',
      ],
    },
    {
      name: "lets a group's dead letter take another group's dead letter",
      file: 'memory/sending.ts',
      find: 'placement.group.dead.bury({',
      replace: `for (const other of placement.topic.groups.values()) other.dead.take([nameOf(message)], now);
    placement.group.dead.bury({`,
      killedBy: [
        'two-letters-with-one-id-are-both-redriven',
        'letters-with-one-id-in-two-groups-are-two-letters',
        'the-events-count-what-happened',
      ],
    },
    {
      name: 'lets groups share their counts',
      file: 'memory/sending.ts',
      find: 'group.add({ message, lane, counts: cloneCounts(counts), unanswered: 0, place: 0, dueAt: 0 }, delayMs, now);',
      replace: `const copy = { lane, counts: cloneCounts(counts), unanswered: 0, place: 0, dueAt: 0 };
    group.add(Object.assign(message, { message, ...copy }, message), delayMs, now);`,
      killedBy: ['a-crash-loop-in-one-group-takes-nothing-from-another'],
    },
    {
      name: 'starves due retries behind a backlog',
      file: 'memory/group.ts',
      find: 'if (next === undefined || next.dueAt > now) return;',
      replace: 'if (next === undefined || next.dueAt > now || this.#backlog.size > 0) return;',
      killedBy: [
        'a-delayed-message-and-a-retry-are-served-before-what-was-published-after-they-fell-due',
        'however-many-fall-due-at-once-they-are-served-before-what-is-published-afterwards',
        'what-is-due-is-served-while-the-backlog-never-ends',
        'what-is-in-hand-when-its-group-is-paused-is-settled-as-ever',
      ],
    },
    {
      name: 'ignores the nonce',
      file: 'memory/sending.ts',
      find: 'const known = this.#recentSends.find(send.nonce);',
      replace: 'const known = undefined as SendResult | undefined;',
      killedBy: [
        'a-repeated-send-of-one-call-is-stored-once',
        'a-publish-whose-answer-was-lost-is-repeated-and-stored-once',
        'a-repeated-send-with-a-key-answers-as-the-first-time',
      ],
    },
    {
      name: 'compares idempotency keys without case',
      file: 'memory/idempotency-keys.ts',
      find: 'readonly #used = new Map<string, Used>();',
      replace: `readonly #used = new (class extends Map<string, Used> {
    override get = (key: string) => super.get(key.toLowerCase());
    override set = (key: string, used: Used) => super.set(key.toLowerCase(), used);
    override delete = (key: string) => super.delete(key.toLowerCase());
  })();`,
      killedBy: ['keys-that-differ-in-a-byte-are-different-keys'],
    },
    {
      name: 'compares idempotency keys without trailing spaces',
      file: 'memory/idempotency-keys.ts',
      find: 'readonly #used = new Map<string, Used>();',
      replace: `readonly #used = new (class extends Map<string, Used> {
    override get = (key: string) => super.get(key.trimEnd());
    override set = (key: string, used: Used) => super.set(key.trimEnd(), used);
    override delete = (key: string) => super.delete(key.trimEnd());
  })();`,
      killedBy: ['keys-that-differ-in-a-byte-are-different-keys'],
    },
    {
      name: 'never ends an idempotency window',
      file: 'memory/idempotency-keys.ts',
      find: 'expiresAt: now + windowMs',
      replace: 'expiresAt: Number.POSITIVE_INFINITY',
      killedBy: ['the-key-is-free-again-after-the-window-and-not-before'],
    },
    {
      name: 'shows a transaction before its commit',
      file: 'memory/sending.ts',
      find: 'transaction.keep(send, result);',
      replace: 'this.send(send, now);',
      killedBy: [
        'what-is-published-within-is-visible-on-commit-and-not-before',
        'what-is-published-within-is-gone-on-rollback',
        'transactions-that-commit-in-reverse-order-lose-and-repeat-nothing',
        'an-open-transaction-holds-up-no-other-publisher',
        'a-publish-with-the-same-key-waits-for-the-transaction-and-is-stored-after-its-rollback',
      ],
    },
    {
      name: 'commits on rollback',
      file: 'memory/transaction.ts',
      find: `if (!this.#open) return;
    this.#freeKeys();`,
      replace: `if (!this.#open) return;
    this.#freeKeys();
    this.#store.commit(this.#sends);`,
      killedBy: [
        'what-is-published-within-is-gone-on-rollback',
        'a-publish-with-the-same-key-waits-for-the-transaction-and-is-stored-after-its-rollback',
      ],
    },
    {
      name: 'commits in reverse',
      file: 'memory/store.ts',
      find: `commit(sends: readonly Send[]): void {
    const now = this.clock.now();
    for (const send of sends)`,
      replace: `commit(sends: readonly Send[]): void {
    const now = this.clock.now();
    for (const send of [...sends].reverse())`,
      killedBy: ['a-batch-and-delays-within-a-transaction-keep-order-and-wait'],
    },
    {
      name: 'lets no publish wait for a transaction with its idempotency key',
      file: 'memory/transaction.ts',
      find: 'keys.keepFor(key, this);',
      replace: '',
      killedBy: ['a-publish-with-the-same-key-waits-for-the-transaction-and-is-a-duplicate-after-its-commit'],
    },
    {
      name: 'puts what is given back at the end of its line',
      file: 'memory/ordered-backlog.ts',
      find: 'line.waiting.unshift(copy);',
      replace: 'line.waiting.push(copy);',
      killedBy: [
        'what-is-given-back-or-left-by-a-holder-returns-to-its-old-place',
        'what-waits-behind-a-lost-lease-is-not-handed-out-before-it',
        'the-key-of-a-killed-holder-goes-on-with-the-same-message',
      ],
    },
    {
      name: 'puts what is given back behind everything',
      file: 'memory/unordered-backlog.ts',
      find: 'this.#returned.push(copy);',
      replace: 'this.#fresh.push(copy);',
      killedBy: ['an-expired-lease-is-served-before-what-was-published-meanwhile'],
    },
    {
      name: 'never ends a lease',
      file: 'memory/group.ts',
      find: 'if (hold.leaseEndsAt <= now) this.#putBack(hold);',
      replace: 'if (hold.leaseEndsAt + 86_400_000 <= now) this.#putBack(hold);',
      killedBy: [
        'an-expired-lease-is-served-before-what-was-published-meanwhile',
        'what-waits-behind-a-lost-lease-is-not-handed-out-before-it',
        'an-extension-by-hand-keeps-the-lease-for-so-long',
        'an-extension-lets-the-lease-end-so-long-from-now',
        'an-extension-may-shorten-a-lease',
        'a-lost-lease-hands-out-again-and-counts',
        'a-holder-whose-lease-is-lost-cannot-touch-the-newer-one',
        'a-lost-lease-is-lost-also-when-nobody-took-the-message-yet',
        'an-ack-that-comes-too-late-is-lease-lost-and-the-newer-holder-keeps-it',
        'the-signal-is-aborted-when-the-lease-is-lost',
        'the-signal-is-aborted-when-an-extension-fails-until-the-lease-has-ended',
        'an-extension-that-hangs-keeps-nothing-from-going-on',
        'a-settle-that-never-arrives-is-told-and-the-message-comes-again',
        'a-lease-that-ends-while-its-group-is-paused-hands-nothing-out',
      ],
    },
    {
      name: 'loses what a lease held when it ends',
      file: 'memory/group.ts',
      find: 'if (hold.leaseEndsAt <= now) this.#putBack(hold);',
      replace: 'if (hold.leaseEndsAt <= now) this.#end(hold);',
      killedBy: [
        'an-expired-lease-is-served-before-what-was-published-meanwhile',
        'what-waits-behind-a-lost-lease-is-not-handed-out-before-it',
        'an-extension-by-hand-keeps-the-lease-for-so-long',
        'an-extension-lets-the-lease-end-so-long-from-now',
        'an-extension-may-shorten-a-lease',
        'a-lost-lease-hands-out-again-and-counts',
        'a-holder-whose-lease-is-lost-cannot-touch-the-newer-one',
        'a-lost-lease-is-lost-also-when-nobody-took-the-message-yet',
        'an-ack-that-comes-too-late-is-lease-lost-and-the-newer-holder-keeps-it',
        'a-settle-that-never-arrives-is-told-and-the-message-comes-again',
        'a-lease-that-ends-while-its-group-is-paused-hands-nothing-out',
      ],
    },
    {
      name: 'ignores an extension',
      file: 'memory/store.ts',
      find: 'hold.group.extend(hold, now + ms);',
      replace: '',
      killedBy: [
        'what-nobody-starts-for-ten-minutes-goes-to-others',
        'a-handler-that-takes-longer-than-the-lease-is-not-disturbed',
        'what-waits-unstarted-keeps-its-lease-too',
        'an-extension-by-hand-keeps-the-lease-for-so-long',
        'an-extension-lets-the-lease-end-so-long-from-now',
        'an-extension-may-shorten-a-lease',
        'an-extension-that-fails-is-tried-again-in-time',
        'a-lease-is-extended-three-times-in-its-time',
      ],
    },
    {
      name: 'never shortens a lease',
      file: 'memory/group.ts',
      find: 'hold.leaseEndsAt = leaseEndsAt;',
      replace: 'hold.leaseEndsAt = Math.max(hold.leaseEndsAt, leaseEndsAt);',
      killedBy: ['an-extension-may-shorten-a-lease'],
    },
    {
      name: 'says done to the extension of a lost lease',
      file: 'memory/store.ts',
      find: "if (hold === null) return 'lost';",
      replace: "if (hold === null) return 'done';",
      killedBy: ['an-extension-lets-the-lease-end-so-long-from-now'],
    },
    {
      name: 'goes on counting redeliveries after an answer',
      file: 'memory/group.ts',
      find: 'hold.copy.unanswered = 0;',
      replace: '',
      killedBy: [
        'a-release-comes-back-after-its-delay-with-its-new-counts',
        'a-nack-comes-again-as-the-next-attempt-after-its-delay',
        'fifty-postpones-leave-the-attempt-alone',
        'each-hand-out-without-an-answer-is-counted-and-an-answer-counts-anew',
        'counts-hold-over-kills-and-new-clients',
        'counts-hold-over-a-killed-process',
        'a-message-may-fail-for-ever',
        'an-answer-starts-the-count-anew',
        'a-dead-letter-says-what-and-why-and-keeps-the-message',
        'the-time-out-of-a-handler-that-returns-later-is-a-failure-all-the-same',
        'a-message-of-a-newer-release-is-left-and-its-neighbours-flow',
      ],
    },
    {
      name: 'counts no redeliveries',
      file: 'memory/group.ts',
      find: 'redeliveries: copy.unanswered++,',
      replace: 'redeliveries: copy.unanswered,',
      killedBy: [
        'each-hand-out-without-an-answer-is-counted-and-an-answer-counts-anew',
        'a-lost-lease-hands-out-again-and-counts',
        'the-deadline-of-close-hands-out-again-without-counting-an-attempt',
        'counts-hold-over-kills-and-new-clients',
        'what-is-given-back-is-there-for-others-at-once',
        'a-clean-stop-gives-back-what-was-not-started',
        'a-clean-stop-on-an-ordered-topic-gives-back-what-was-not-started',
        'the-signal-is-aborted-when-the-connection-is-cut-and-the-handler-cannot-settle',
        'counts-hold-over-a-killed-process',
        'a-message-that-always-kills-its-process-is-a-dead-letter-in-the-end',
        'an-answer-starts-the-count-anew',
        'a-crash-loop-in-one-group-takes-nothing-from-another',
        'one-killer-among-64-held-messages-ends-as-exactly-one-dead-letter-on-unordered-topics',
        'one-killer-among-64-held-messages-ends-as-exactly-one-dead-letter-on-ordered-topics',
        'three-killers-among-64-held-messages-end-as-three-dead-letters',
        'what-was-redelivered-more-than-twice-is-started-alone',
        'a-suspect-waits-until-what-came-with-it-has-ended',
        'a-lease-that-ends-while-its-group-is-paused-hands-nothing-out',
      ],
    },
    {
      name: 'counts what is delayed as ready',
      file: 'memory/group.ts',
      find: 'ready: this.#backlog.size,',
      replace: 'ready: this.#backlog.size + this.#delayed.size,',
      killedBy: ['the-depth-of-a-quiet-group-is-exact'],
    },
    {
      name: 'knows no age',
      file: 'memory/group.ts',
      find: 'oldestDueAt === null ? 0 : now - oldestDueAt,',
      replace: '0,',
      killedBy: ['the-depth-of-a-quiet-group-is-exact', 'the-age-of-a-retry-counts-from-when-it-was-due'],
    },
    {
      name: 'uses letters up by listing them',
      file: 'memory/store.ts',
      find: 'return this.#box(box, now).list(page, now);',
      replace: `const list = this.#box(box, now).list(page, now);
    this.#box(box, now).take(
      list.letters.map(({ message }) => String(message.id)),
      now,
    );
    return list;`,
      killedBy: [
        'the-delays-of-a-group-that-is-gone-stop-nobody-else',
        'a-lost-letter-is-redriven-when-its-destination-is-back-and-stays-until-then',
        'lost-letters-can-be-purged',
        'a-foreign-message-that-cannot-be-read-is-one-dead-letter',
        'a-permanent-error-rejects',
        'a-nack-whose-answer-was-lost-leaves-exactly-one-copy',
        'a-reject-whose-answer-was-lost-leaves-exactly-one-copy',
        'a-message-that-always-kills-its-process-is-a-dead-letter-in-the-end',
        'one-killer-among-64-held-messages-ends-as-exactly-one-dead-letter-on-unordered-topics',
        'one-killer-among-64-held-messages-ends-as-exactly-one-dead-letter-on-ordered-topics',
        'three-killers-among-64-held-messages-end-as-three-dead-letters',
        'a-dead-letter-says-what-and-why-and-keeps-the-message',
        'the-first-failure-of-many-is-the-first-failure-time',
        'looking-at-letters-changes-nothing',
        'one-some-or-all-are-redriven-with-fresh-counts',
        'a-redriven-message-that-fails-again-is-dead-again-after-all-its-attempts',
        'purging-deletes-what-is-named-and-no-more',
        'burying-redriving-and-purging-in-one-group-is-not-seen-by-another',
        'a-handler-that-takes-too-long-has-failed',
        'the-events-count-what-happened',
      ],
    },
    {
      name: 'purges all when asked for one',
      file: 'memory/store.ts',
      find: 'take(ids, now).length',
      replace: "take('all', now).length",
      killedBy: [
        'what-leaves-a-list-between-two-pages-shifts-nothing',
        'letters-are-named-by-the-bytes-of-their-ids',
        'purging-deletes-what-is-named-and-no-more',
      ],
    },
    {
      name: 'repeats a letter on the next page',
      file: 'memory/letters.ts',
      find: 'next: last === undefined ? null : String(last.number),',
      replace: 'next: last === undefined ? null : String(last.number - 1),',
      killedBy: ['letters-are-listed-page-by-page-oldest-first', 'what-leaves-a-list-between-two-pages-shifts-nothing'],
    },
    {
      name: 'keeps dead letters for ever',
      file: 'memory/sending.ts',
      find: 'expiresAt: expireAfterMs === null ? Number.POSITIVE_INFINITY : now + expireAfterMs,',
      replace: 'expiresAt: Number.POSITIVE_INFINITY,',
      killedBy: ['letters-expire-when-their-topic-says-so'],
    },
    {
      name: 'drops lost letters',
      file: 'memory/lost-letters.ts',
      find: 'this.#letters.bury({ message, lane, topic, group, death: null, buriedAt, expiresAt: Number.POSITIVE_INFINITY });',
      replace: '',
      killedBy: [
        'the-delays-of-a-group-that-is-gone-stop-nobody-else',
        'a-lost-letter-is-redriven-when-its-destination-is-back-and-stays-until-then',
        'lost-letters-can-be-purged',
      ],
    },
    {
      name: 'still delivers to a group that was removed',
      file: 'memory/catalogue.ts',
      find: `topic.groups.delete(name);
`,
      replace: '',
      killedBy: [
        'a-lost-letter-is-redriven-when-its-destination-is-back-and-stays-until-then',
        'a-group-that-is-removed-takes-nothing-more',
        'the-dead-letters-of-a-group-that-is-removed-are-removed',
        'a-group-that-is-removed-takes-its-pause-along',
        'a-queue-that-met-a-difference-can-be-used-again',
      ],
    },
    {
      name: 'hands out the body that it keeps',
      file: 'memory/clone.ts',
      find: `return withBody(message, body);
}

function`,
      replace: `return withBody(message, message.body);
}

function`,
      killedBy: ['the-bytes-that-were-handed-out-are-the-readers-own'],
    },
    {
      name: 'hands out one more than was asked for',
      file: 'memory/group.ts',
      find: 'while (received.length < max) {',
      replace: 'while (received.length <= max) {',
      killedBy: [
        'a-subscription-holds-no-more-than-its-prefetch',
        'a-prefetch-of-one-holds-one',
        'a-slow-consumer-and-a-fast-publisher-fill-no-memory',
        'one-killer-among-64-held-messages-ends-as-exactly-one-dead-letter-on-unordered-topics',
        'one-killer-among-64-held-messages-ends-as-exactly-one-dead-letter-on-ordered-topics',
        'after-a-cut-prefetch-and-group-are-as-before',
        'the-depth-of-a-quiet-group-is-exact',
        'a-consumer-works-on-sixteen-at-once-and-holds-256',
        'an-ordered-consumer-holds-64-per-lane',
      ],
    },
    {
      name: 'discards what no group accepts',
      file: 'memory/sending.ts',
      find: "if (groups.length === 0 && send.unmatched === 'reject')\n        return failed(unroutable(message.topic, message.routingKey));",
      replace: '',
      killedBy: [
        'after-an-entry-that-failed-later-ones-of-its-key-are-not-stored',
        'one-message-that-the-backend-refuses-fails-alone',
        'a-message-for-nobody-is-unroutable',
        'what-does-not-fit-is-refused-within-a-transaction-too',
        'an-entry-that-fails-fails-the-ack-and-the-message-stays-held',
        'of-an-outbox-with-an-entry-that-fails-nothing-is-stored',
        'an-ack-whose-outbox-nobody-accepts-is-refused-and-the-delivery-can-be-settled-otherwise',
        'a-handler-whose-outbox-nobody-accepts-has-failed',
        'a-difference-is-named-and-nothing-is-changed',
        'patterns-are-changed-when-that-is-asked-for-and-nothing-is-lost',
        'what-is-refused-is-not-told-as-published',
        'errors-name-operation-subject-and-remedy',
      ],
    },
    {
      name: 'stores the rest of a key after one failed',
      file: 'memory/sending.ts',
      find: 'if (stopped.size > 0 && key !== null && stopped.get(topic)?.has(key)) return overtaking(topic, key);',
      replace: '',
      killedBy: ['after-an-entry-that-failed-later-ones-of-its-key-are-not-stored'],
    },
    {
      name: 'copies once per pattern',
      file: 'memory/topic.ts',
      find: 'if (group.accepts(routingKey)) accepting.push(group);',
      replace: 'for (const _ of group.patterns) if (group.accepts(routingKey)) accepting.push(group);',
      killedBy: ['a-message-that-two-patterns-accept-comes-once'],
    },
    {
      name: 'does not tell what a cut has lost',
      file: 'memory/subscription.ts',
      find: 'if (receipts.length > 0) this.#options.onLost(receipts);',
      replace: '',
      killedBy: ['the-signal-is-aborted-when-the-connection-is-cut-and-the-handler-cannot-settle'],
    },
    {
      name: 'leaves the lanes of a reader that left to nobody',
      file: 'memory/group.ts',
      find: `this.takeBack(reader);
    this.#backlog.share([...this.#readers]);`,
      replace: 'this.takeBack(reader);',
      killedBy: ['what-is-given-back-of-an-ordered-topic-keeps-its-order'],
    },
    {
      name: 'serves after its close',
      file: 'memory/client.ts',
      find: "if (this.#state === 'open' || this.#state === 'killed') return;",
      replace: "if (this.#state !== 'not open') return;",
      killedBy: ['every-verb-of-a-closed-driver-is-refused'],
    },
    {
      name: 'applies a declaration before it refuses',
      file: 'memory/catalogue.ts',
      find: `const report = topologyDifferences(this.topologies(), topology, options);
    if`,
      replace: `const before = this.topologies();
    for (const wanted of topology.topics) this.#apply(wanted, now);
    const report = topologyDifferences(before, topology, options);
    if`,
      killedBy: [
        'a-check-of-what-is-missing-names-it-and-declares-nothing',
        'a-difference-is-named-and-nothing-is-changed',
        'of-a-declaration-with-a-difference-nothing-is-applied',
      ],
    },
    {
      name: 'does not heed the signal of a receive',
      file: 'memory/waiting.ts',
      find: "signal.addEventListener('abort', stop);",
      replace: '',
      killedBy: [
        'a-clean-stop-on-an-ordered-topic-gives-back-what-was-not-started',
        'letters-expire-when-their-topic-says-so',
        'a-close-returns-at-once-when-nothing-is-in-hand',
        'a-signal-ends-a-receive-which-then-holds-nothing',
      ],
    },
    {
      name: 'receives although its signal is aborted',
      file: 'memory/subscription.ts',
      find: 'if (signal.aborted) return [];',
      replace: '',
      killedBy: ['a-signal-ends-a-receive-which-then-holds-nothing'],
    },
    {
      name: 'does not serve in the order of becoming due',
      file: 'memory/copy.ts',
      find: 'one.dueAt < other.dueAt || (one.dueAt === other.dueAt && one.place < other.place)',
      replace: 'one.place < other.place',
      killedBy: ['a-long-delay-does-not-hold-up-a-short-one'],
    },
    {
      name: 'loses a letter that is redriven without a destination',
      file: 'memory/store.ts',
      find: `(letter) => groupOf(letter) !== undefined);
    for (const letter of letters) this.#sending.add(groupOf(letter) as Group, letter, now);`,
      replace: `() => true);
    for (const letter of letters) {
      const group = groupOf(letter);
      if (group !== undefined) this.#sending.add(group, letter, now);
    }`,
      killedBy: ['a-lost-letter-is-redriven-when-its-destination-is-back-and-stays-until-then'],
    },
    {
      name: 'loses what a killed client held',
      file: 'memory/group.ts',
      find: `this.takeBack(reader);
    this.#backlog.share`,
      replace: `for (const hold of reader.holds) gone === 'killed' ? this.ack(hold) : this.#putBack(hold);
    this.#backlog.share`,
      killedBy: [
        'what-a-killed-process-held-comes-to-others-with-the-same-id-and-body',
        'the-key-of-a-killed-holder-goes-on-with-the-same-message',
        'counts-hold-over-kills-and-new-clients',
        'counts-hold-over-a-killed-process',
        'a-message-that-always-kills-its-process-is-a-dead-letter-in-the-end',
        'an-answer-starts-the-count-anew',
        'a-crash-loop-in-one-group-takes-nothing-from-another',
        'one-killer-among-64-held-messages-ends-as-exactly-one-dead-letter-on-unordered-topics',
        'one-killer-among-64-held-messages-ends-as-exactly-one-dead-letter-on-ordered-topics',
        'three-killers-among-64-held-messages-end-as-three-dead-letters',
        'what-was-redelivered-more-than-twice-is-started-alone',
        'a-suspect-waits-until-what-came-with-it-has-ended',
      ],
    },
    {
      name: 'never ends the pending receive of a reader that holds something',
      file: 'memory/group.ts',
      find: "if (gone === 'closed') this.#waiting.end(reader);",
      replace: "if (gone === 'closed' && reader.holds.length === 0) this.#waiting.end(reader);",
      killedBy: ['closing-ends-what-waits-empty'],
    },
    {
      name: 'stores the outbox a moment after the ack',
      file: 'memory/store.ts',
      find: 'const error = this.#sending.sendAll(settlement.outbox, now);',
      replace: `const burying = settlement.outbox.some(({ target }) => target.kind === 'dead');
      const error = burying ? this.#sending.sendAll(settlement.outbox, now) : null;
      if (!burying) this.clock.schedule(() => this.send(settlement.outbox), 1);`,
      killedBy: [
        'what-the-outbox-refuses-is-not-collected-and-harms-nothing-else',
        'an-entry-that-fails-fails-the-ack-and-the-message-stays-held',
        'of-an-outbox-with-an-entry-that-fails-nothing-is-stored',
        'the-outbox-is-there-when-the-ack-has-been-answered',
        'an-ack-whose-outbox-nobody-accepts-is-refused-and-the-delivery-can-be-settled-otherwise',
        'a-handler-whose-outbox-nobody-accepts-has-failed',
        'a-dead-letter-is-stored-with-the-ack-of-its-message-or-not-at-all',
      ],
    },
    {
      name: 'redrive keeps counts',
      file: 'memory/store.ts',
      find: 'this.#sending.add(groupOf(letter) as Group, letter, now);',
      replace:
        'this.#sending.add(groupOf(letter) as Group, { ...letter, counts: { ...(letter.death as never), firstFailedAt: null } }, now);',
      killedBy: [
        'a-lost-letter-is-redriven-when-its-destination-is-back-and-stays-until-then',
        'one-some-or-all-are-redriven-with-fresh-counts',
        'a-redriven-message-that-fails-again-is-dead-again-after-all-its-attempts',
        'a-redriven-message-comes-back-whole',
        'redriving-moves-a-letter',
      ],
    },
  ],
};
