import type { SqliteRow } from '../../sql/sqlite-connection.js';
import type { Steps } from '../../sql/sqlite-steps.js';
import type { Catalogue } from './catalogue.js';
import { bury, die, forget, forgetSilent, holders, isGone, isLongSilent, isSeen, newHolder, say } from './holders.js';
import { tokensIn } from './pausing.js';
import { leavingMs, type QueueFile } from './queue-file.js';

/**
 * A driver as the others on the file see it: the row of a holder, written with the first claim, so that who only looks needs no lock. Has
 * the driver's subscriptions told of pauses, and says in that row that they know, and that it lives. Takes away the rows of those that do not.
 */
export class Presence {
  /** Under which this driver has messages in hand. */
  readonly holderId = newHolder();
  readonly #file: QueueFile;
  readonly #tell: (catalogue: Catalogue) => void;
  readonly #stopProbing: () => void;
  /** The holders, and how often the bell had rung before they were read. */
  #known: { readonly rings: number; readonly rows: readonly SqliteRow[] } | null = null;
  #entered = false;
  /** What its row says. */
  #said = '';
  /** The pauses that the subscriptions know of. */
  #heeded = '';
  #version = -1;
  #saying = false;
  #stopListening: () => void = () => {};
  #stopped = false;

  constructor(file: QueueFile, tell: (catalogue: Catalogue) => void) {
    this.#file = file;
    this.#tell = tell;
    this.#stopProbing = file.tables.file.onProbe(() => void this.probe().catch(() => {}));
    this.#listen();
    this.#look();
  }

  /** Within the transaction of a claim, which looks at the pauses itself: nothing is handed out to one whom a pause would not wait for. */
  *enter(there: Catalogue): Steps<void> {
    if (this.#entered) return;
    this.#said = tokensIn(there);
    yield* say(this.holderId, this.#said);
  }

  /** That transaction is committed. */
  entered(): void {
    if (this.#entered) return;
    this.#entered = true;
    if (this.#said !== this.#heeded) this.#say();
  }

  /** Looks at all holders: what a process that is gone had in hand is there again, and its own row is as it should be. */
  async probe(): Promise<void> {
    const rows = await this.#holders();
    await this.#takeAway(rows);
    const own = rows.find((row) => row.holder_id === this.holderId);
    const isSaid = own !== undefined && own.heeded === this.#heeded && isSeen(own, Date.now());
    if (!isSaid) this.#say();
  }

  /** As its process's end. */
  stop(): void {
    this.#stopped = true;
    this.#stopProbing();
    this.#stopListening();
    die(this.holderId);
  }

  /** What it has in hand is there again, also what a claim has taken for nobody; whoever finds the row later does the same. */
  async leave(): Promise<void> {
    this.stop();
    if (this.#entered) await this.#bury([this.holderId], []);
    else forget(this.holderId);
  }

  /** Read when somebody has written: an idle process looks at them twice a second. */
  async #holders(): Promise<readonly SqliteRow[]> {
    const { rings } = this.#file.bell;
    if (this.#known?.rings !== rings) this.#known = { rings, rows: await this.#file.all(holders, []) };
    return this.#known.rows;
  }

  async #takeAway(rows: readonly SqliteRow[]): Promise<void> {
    const gone = rows.filter(isGone);
    const silent = rows.filter((row) => isLongSilent(row, Date.now()));
    if (gone.length + silent.length === 0) return;
    await this.#bury(
      gone.map(({ holder_id }) => Number(holder_id)),
      silent,
    );
  }

  /** Whoever comes second finds nothing; what fails is done at the next probe. */
  async #bury(gone: readonly number[], silent: readonly SqliteRow[]): Promise<void> {
    const takeAway = function* (): Steps<void> {
      for (const holderId of gone) yield* bury(holderId);
      for (const row of silent) yield* forgetSilent(row);
    };
    try {
      await this.#file.write(takeAway, { patienceMs: leavingMs });
      for (const holderId of gone) forget(holderId);
    } catch {
      // Locked for too long, or full.
    }
  }

  #listen(): void {
    const { bell } = this.#file;
    this.#stopListening = bell.wait(bell.rings, () => {
      this.#listen();
      this.#look();
    });
  }

  #look(): void {
    this.#file.catalogue().then(
      (catalogue) => this.#saw(catalogue),
      () => {
        // Whoever works with the file finds out the same, and is told.
      },
    );
  }

  #saw(catalogue: Catalogue): void {
    if (this.#stopped || catalogue.version <= this.#version) return;
    this.#version = catalogue.version;
    this.#tell(catalogue);
    const tokens = tokensIn(catalogue);
    if (tokens === this.#heeded) return;
    this.#heeded = tokens;
    this.#say();
  }

  #say(): void {
    if (!this.#entered || this.#saying || this.#stopped) return;
    this.#saying = true;
    const saying = (): Steps<void> => {
      this.#said = this.#heeded;
      return say(this.holderId, this.#said);
    };
    this.#file.write(saying, { durable: false }).then(
      () => {
        this.#saying = false;
        if (this.#said !== this.#heeded) this.#say();
      },
      () => {
        // Locked for too long, or full: the next probe finds it unsaid. Until then whoever pauses waits, and says so.
        this.#saying = false;
      },
    );
  }
}
