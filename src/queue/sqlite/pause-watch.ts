import type { Catalogue } from './catalogue.js';
import { heed, tokensIn } from './pausing.js';
import type { QueueFile } from './queue-file.js';

/** Has a driver's subscriptions told of pauses, and then says in the file that they know. */
export class PauseWatch {
  readonly #file: QueueFile;
  readonly #holderId: number;
  readonly #tell: (catalogue: Catalogue) => void;
  #heeded: string;
  #version: number;
  #stopListening: () => void = () => {};
  #stopped = false;

  /** `entered`: the catalogue as it was when the holder's row was written, with all pauses that it had. */
  constructor(
    { file, holderId, entered }: { readonly file: QueueFile; readonly holderId: number; readonly entered: Catalogue },
    tell: (catalogue: Catalogue) => void,
  ) {
    this.#file = file;
    this.#holderId = holderId;
    this.#tell = tell;
    this.#heeded = tokensIn(entered);
    this.#version = entered.version;
    this.#listen();
    this.#look();
  }

  stop(): void {
    this.#stopped = true;
    this.#stopListening();
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
    this.#file
      .write(() => heed(this.#holderId, tokens))
      .catch(() => {
        // Locked for too long, or full: said at the next change of anything. Until then whoever pauses waits, and says so.
        this.#version = -1;
        this.#heeded = '?';
      });
  }
}
