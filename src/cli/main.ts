#!/usr/bin/env node
import { processIo } from './process-io.js';
import { run } from './run.js';

// Not process.exit: what is still to be written to a pipe would be cut off, and what a command left open would not show.
process.exitCode = await run(process.argv.slice(2), processIo());
