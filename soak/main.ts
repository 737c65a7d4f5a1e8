import { readSoakArguments } from './arguments.js';
import { reportOf } from './report.js';
import { runSoak } from './run.js';

/** `npm run soak -- mysql|amqp|sqlite URL`: exit code 0 when every promise was kept, 1 when one was broken, 2 when it could not be run. */
const read = readSoakArguments(process.argv.slice(2));
if ('usage' in read) {
  console.error(read.usage);
  process.exitCode = 2;
} else {
  try {
    const { facts, account, broken } = await runSoak(read, (line) => console.error(`soak: ${line}`));
    console.log(read.json ? JSON.stringify({ ...facts, ...account, broken }) : reportOf(facts, account, broken));
    process.exitCode = broken.length === 0 ? 0 : 1;
  } catch (error) {
    console.error(`soak: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 2;
  }
}
