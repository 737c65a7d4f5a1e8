import { z } from 'zod';
import { positiveInteger, readOptions } from '../../options.js';
import type { Harness } from '../harness.js';
import { type Command, weighted } from './command.js';
import { driverCommands } from './driver-commands.js';
import { type FastCheck, loadFastCheck } from './fast-check.js';
import { queueCommands } from './queue-commands.js';
import { QueueScene } from './queue-scene.js';
import { Scene } from './scene.js';

export interface ModelRunOptions {
  readonly harness: Harness;
  /** `driver`: the driver alone, exactly. `queue`: the portable layer on top of it. Default: `driver`. */
  readonly layer?: 'driver' | 'queue' | undefined;
  /** How many sequences of commands are tried. Default 100. */
  readonly runs?: number | undefined;
  /** Commands in a sequence, at most. Default 60 on a virtual clock, 30 on a real one. */
  readonly commands?: number | undefined;
  /** Where the sequences come from. Default: another one each time. */
  readonly seed?: number | undefined;
  /** What a failure printed: runs that one sequence again. */
  readonly replay?: string | undefined;
}

export interface ModelRun {
  readonly seed: number;
  readonly runs: number;
  /** Null when nothing was found. */
  readonly failure: ModelFailure | null;
}

export interface ModelFailure {
  /** The shortest sequence found that shows it, and what went wrong, as text for people. */
  readonly report: string;
  /** Given as `replay`, runs that sequence again. */
  readonly replay: string;
  readonly commands: readonly string[];
  readonly error: unknown;
}

/** Real time for which what was found is made shorter: each try is a sequence on a real server, and there may be thousands. */
const shrinkMs = 30_000;

const replayPattern = /^(-?\d+)\|([\d:]+)\|([A-Za-z0-9+/=:]*)$/;
const optionsSchema = z.strictObject({
  harness: z.custom<Harness>((value) => typeof value === 'object' && value !== null && 'client' in value, {
    error: 'must be a harness',
  }),
  layer: z.enum(['driver', 'queue'], 'must be "driver" or "queue"').default('driver'),
  runs: positiveInteger.default(100),
  commands: positiveInteger.optional(),
  seed: z.number('must be a whole number').int('must be a whole number').optional(),
  replay: z.string().regex(replayPattern, 'must be what a failure printed').optional(),
});

interface Subject {
  /** What must hold when all is over. */
  finish(): Promise<void>;
  close(): Promise<void>;
}

interface Play<S extends Subject> {
  readonly make: () => Promise<S>;
  readonly commands: readonly Command<S>[];
}

/**
 * Does to a backend whatever comes to fast-check's mind, and compares all that it answers with a small model of
 * what it should be: nothing lost, nothing twice, never early, order per key, one of a key in hand, counts, dead
 * letters, depth. What is found is made as short as possible, for 30 s at most where time is real. Answers what was found; rejects only where nothing
 * could be run: `invalid` options, or `unsupported` where fast-check is not installed.
 *
 * The backend keeps what a sequence left there only where that failed. `harness.close` is the caller's.
 */
export async function modelRun(options: ModelRunOptions): Promise<ModelRun> {
  const read = readOptions('run the model', optionsSchema, options);
  const fc = await loadFastCheck();
  const isVirtual = read.harness.time.kind === 'virtual';
  if (read.layer === 'queue') {
    return check(fc, read, { make: () => QueueScene.make(read.harness), commands: queueCommands(fc, isVirtual) });
  }
  return check(fc, read, { make: () => Scene.make(read.harness), commands: driverCommands(fc, isVirtual) });
}

async function check<S extends Subject>(
  fc: FastCheck,
  { harness, runs, commands, seed, replay }: z.output<typeof optionsSchema>,
  play: Play<S>,
): Promise<ModelRun> {
  const [, seedOfReplay, path, replayPath] = replay === undefined ? [] : (replayPattern.exec(replay) ?? []);
  const maxCommands = commands ?? (harness.time.kind === 'virtual' ? 60 : 30);
  const sequences = fc.commands(weighted(play.commands), {
    maxCommands,
    size: 'max',
    ...(replayPath === undefined ? {} : { replayPath }),
  });
  const { time } = harness;
  const shrinkFor = time.kind === 'virtual' ? Number.POSITIVE_INFINITY : shrinkMs * time.timeFactor;
  let shrinkUntil = Number.POSITIVE_INFINITY;
  const property = fc.asyncProperty(sequences, async (sequence) => {
    // To fast-check a sequence that does not apply is one that does not fail: the shortest so far is the answer.
    fc.pre(performance.now() < shrinkUntil);
    const subject = await play.make();
    try {
      await fc.asyncModelRun(async () => ({ model: subject, real: subject }), sequence);
      await subject.finish();
    } catch (error) {
      shrinkUntil = Math.min(shrinkUntil, performance.now() + shrinkFor);
      throw error;
    } finally {
      await subject.close();
    }
  });
  const start = seedOfReplay === undefined ? seed : Number(seedOfReplay);
  const details = await fc.check(property, {
    numRuns: replay === undefined ? runs : 1,
    ...(start === undefined ? {} : { seed: start }),
    ...(path === undefined ? {} : { path }),
  });
  if (!details.failed) return { seed: details.seed, runs: details.numRuns, failure: null };
  const [sequence] = details.counterexample ?? [];
  const text = String(sequence);
  const found = /replayPath="([^"]*)"/.exec(text)?.[1] ?? '';
  const again = `${details.seed}|${details.counterexamplePath ?? '0'}|${found}`;
  const steps = text
    .replace(/\/\*.*\*\//s, '')
    .split('\n')
    .map((line) => line.trim().replace(/,$/, ''))
    .filter((line) => line !== '');
  const { errorInstance: error } = details;
  const what = error instanceof Error ? error.message : String(error);
  const report = [
    `${harness.backend} differs from the model after ${details.numRuns} sequences (seed ${details.seed}): ${what}`,
    ...steps.map((step, index) => `  ${index + 1}. ${step}`),
    `to run it again: replay: '${again}'`,
  ].join('\n');
  return { seed: details.seed, runs: details.numRuns, failure: { report, replay: again, commands: steps, error } };
}
