import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Orders } from './child.js';
import { JournalTail, monotonicMs } from './journal.js';
import type { Ledger } from './ledger.js';

interface Member {
  readonly name: string;
  readonly child: ChildProcess;
  readonly tail: JournalTail;
  readonly ended: Promise<void>;
}

const program = fileURLToPath(new URL('child.js', import.meta.url));

/** The processes of a run: started, killed, replaced, and read. */
export class Crew {
  /** Processes that ended otherwise than they were told to. */
  readonly deserters: string[] = [];
  readonly #orders: Omit<Orders, 'role' | 'process' | 'journal'>;
  readonly #folder: string;
  readonly #ledger: Ledger;
  readonly #members: Member[] = [];
  #consumers: Member[] = [];
  #started = 0;

  constructor(orders: Omit<Orders, 'role' | 'process' | 'journal'>, folder: string, ledger: Ledger) {
    this.#orders = orders;
    this.#folder = folder;
    this.#ledger = ledger;
  }

  startConsumer(): void {
    this.#consumers.push(this.#start('consume'));
  }

  /** Resolves when all has been published. */
  async publish(): Promise<void> {
    await this.#start('publish').ended;
  }

  /** kill -9 of the consumer that has lived longest, and another one in its place. */
  replaceOne(): void {
    const [victim, ...others] = this.#consumers;
    if (victim === undefined) return;
    // Before the kill: what it writes until then is no later than its death.
    this.#ledger.add({ e: 'killed', process: victim.name, at: monotonicMs() });
    this.#consumers = others;
    victim.child.kill('SIGKILL');
    this.startConsumer();
  }

  /** Ends the consumers as a deployment does, and resolves when they are gone; who is not by the deadline is killed and counted as a deserter. */
  async dismiss(deadlineMs: number): Promise<void> {
    const members = this.#consumers;
    this.#consumers = [];
    for (const { child } of members) child.kill('SIGTERM');
    const late = setTimeout(() => {
      for (const { child, name } of members) {
        if (child.exitCode !== null || child.signalCode !== null) continue;
        this.deserters.push(`${name} had not ended ${deadlineMs / 1_000} s after SIGTERM`);
        child.kill('SIGKILL');
      }
    }, deadlineMs);
    await Promise.all(members.map(({ ended }) => ended));
    clearTimeout(late);
  }

  /** Brings the ledger up to date. */
  read(): void {
    for (const { tail } of this.#members) for (const entry of tail.read()) this.#ledger.add(entry);
  }

  /** For an end in between: nothing stays behind. */
  killAll(): void {
    for (const { child } of this.#members) child.kill('SIGKILL');
  }

  close(): void {
    for (const { tail } of this.#members) tail.close();
  }

  #start(role: Orders['role']): Member {
    const name = `${role}-${++this.#started}`;
    const journal = join(this.#folder, `${name}.jsonl`);
    const tail = new JournalTail(journal);
    const orders: Orders = { ...this.#orders, role, process: name, journal };
    const child = spawn(process.execPath, ['--enable-source-maps', program], {
      env: { ...process.env, SOAK_ORDERS: JSON.stringify(orders) },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const ended = new Promise<void>((resolve) => {
      child.on('error', (error) => {
        this.deserters.push(`${name} could not be started: ${error.message}`);
        resolve();
      });
      child.on('exit', (code, signal) => {
        if (code !== 0 && signal !== 'SIGKILL') this.deserters.push(`${name} ended by itself, with ${signal ?? code}`);
        resolve();
      });
    });
    const member = { name, child, tail, ended };
    this.#members.push(member);
    return member;
  }
}
