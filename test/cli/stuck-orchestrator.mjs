// The built command line on a backend whose settlements are never answered: its handlers never end.
import { processIo } from '../../dist/cli/process-io.js';
import { run } from '../../dist/cli/run.js';

const io = processIo();
process.exitCode = await run(process.argv.slice(2), {
  ...io,
  connect: async (url) => {
    const driver = await io.connect(url);
    const subscribe = driver.subscribe.bind(driver);
    driver.subscribe = async (options) => {
      const subscription = await subscribe(options);
      subscription.settle = () => new Promise(() => {});
      return subscription;
    };
    return driver;
  },
});
