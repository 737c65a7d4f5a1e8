import type { Socket } from 'node:net';
import type { Conduct, Direction } from './conduct.js';

/** Held back by the proxy itself before the sender feels it; TCP's own buffers come on top. */
const maxHeldBytes = 65_536;

/** The end of what one side sends is the last of its parts. */
interface Part {
  readonly bytes: Buffer | 'end';
  readonly arrivedAt: number;
}

/** What one side of a connection sends to the other, in order, as slowly as it is told. */
export class Flow {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #direction: Direction;
  readonly #held: Part[] = [];
  #heldBytes = 0;
  #conduct: Conduct;
  #lostBytes = false;
  #wake: () => void = () => undefined;

  constructor(from: Socket, to: Socket, direction: Direction, conduct: Conduct) {
    this.#from = from;
    this.#to = to;
    this.#direction = direction;
    this.#conduct = conduct;
    from.on('data', (bytes: Buffer) => this.#take(bytes));
    from.once('end', () => this.#take('end'));
    to.once('close', () => this.#wake());
    void this.#pass();
  }

  /** Something that was sent will never arrive. */
  get lostBytes(): boolean {
    return this.#lostBytes;
  }

  behave(conduct: Conduct): void {
    this.#conduct = conduct;
    if (conduct.halfOpen) this.#swallow();
    this.#wake();
  }

  #take(bytes: Buffer | 'end'): void {
    this.#held.push({ bytes, arrivedAt: performance.now() });
    this.#heldBytes += bytes.length;
    if (this.#conduct.halfOpen) this.#swallow();
    else if (this.#heldBytes > maxHeldBytes) this.#from.pause();
    this.#wake();
  }

  #swallow(): void {
    this.#lostBytes ||= this.#held.length > 0;
    this.#held.length = 0;
    this.#heldBytes = 0;
    this.#from.resume();
  }

  async #pass(): Promise<void> {
    while (!this.#to.destroyed) {
      const part = this.#held[0];
      const waitMs = part === undefined ? Number.POSITIVE_INFINITY : this.#waitOf(part);
      if (part === undefined || waitMs > 0) {
        await this.#rest(waitMs);
        continue;
      }
      const piece = this.#pieceOf(part);
      if (!(await this.#travelled(piece))) continue;
      if (piece === 'end') this.#to.end();
      else if (!this.#to.write(piece)) await this.#drained();
    }
  }

  /** Removes from what is held as much as may arrive at once: of a slow connection what it carries in 50 ms. */
  #pieceOf({ bytes, arrivedAt }: Part): Buffer | 'end' {
    const { bytesPerSecond = Number.POSITIVE_INFINITY } = this.#conduct;
    const most = Math.max(1, Math.floor(bytesPerSecond / 20));
    this.#held.shift();
    const piece = bytes === 'end' ? bytes : bytes.subarray(0, most);
    if (bytes !== 'end' && bytes.length > most) this.#held.unshift({ bytes: bytes.subarray(most), arrivedAt });
    this.#heldBytes -= piece.length;
    if (this.#heldBytes <= maxHeldBytes) this.#from.resume();
    return piece;
  }

  /** Waits as long as the piece takes on its way. False when the other side hung up meanwhile, or everything is swallowed. */
  async #travelled(piece: Buffer | 'end'): Promise<boolean> {
    const startedAt = performance.now();
    for (;;) {
      const { bytesPerSecond = Number.POSITIVE_INFINITY, halfOpen } = this.#conduct;
      if (halfOpen) this.#lostBytes = true;
      if (halfOpen || this.#to.destroyed) return false;
      const restMs = startedAt + (piece.length / bytesPerSecond) * 1_000 - performance.now();
      if (restMs <= 0) return true;
      await this.#rest(restMs);
    }
  }

  #waitOf({ arrivedAt }: Part): number {
    const { paused, latencyMs = 0 } = this.#conduct;
    return paused.has(this.#direction) ? Number.POSITIVE_INFINITY : arrivedAt + latencyMs - performance.now();
  }

  /** Until something happens, or so long. */
  #rest(forMs: number): Promise<void> {
    return new Promise((resolve) => {
      // Timers count whole milliseconds: rounded up, or the wait would be short and repeated.
      const timer = forMs === Number.POSITIVE_INFINITY ? undefined : setTimeout(resolve, Math.ceil(forMs));
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #drained(): Promise<void> {
    return new Promise((resolve) => {
      const go = (): void => {
        this.#to.removeListener('drain', go).removeListener('close', go);
        resolve();
      };
      this.#to.on('drain', go).on('close', go);
    });
  }
}
