import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A folder of a test's own. Ends with the block. */
export class TemporaryFolder implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'signalbox-sqlite-'));
  readonly file = join(this.path, 'queue.db');

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
