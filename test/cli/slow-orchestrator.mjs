// The built command line on a backend whose settlements take as long as the first argument says, in milliseconds, or for ever (`never`).
import { setTimeout as wait } from 'node:timers/promises';
import { processIo } from '../../dist/cli/process-io.js';
import { run } from '../../dist/cli/run.js';

const io = processIo();
const [ms, ...argv] = process.argv.slice(2);
let told = false;

process.exitCode = await run(argv, {
  ...io,
  connect: async (url) => {
    const driver = await io.connect(url);
    const subscribe = driver.subscribe.bind(driver);
    driver.subscribe = async (options) => {
      const subscription = await subscribe(options);
      const settle = subscription.settle.bind(subscription);
      subscription.settle = async (batch) => {
        if (!told) io.stderr.write('settling\n');
        told = true;
        await (ms === 'never' ? new Promise(() => {}) : wait(Number(ms)));
        return settle(batch);
      };
      return subscription;
    };
    return driver;
  },
});
