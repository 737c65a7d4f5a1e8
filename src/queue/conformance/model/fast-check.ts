import { QueueError } from '../../errors.js';

export type FastCheck = typeof import('fast-check');

/** Loaded only when a model is run: whoever does not run one need not install it. Rejects with `unsupported` where it is missing. */
export async function loadFastCheck(load: () => Promise<FastCheck> = () => import('fast-check')): Promise<FastCheck> {
  try {
    return await load();
  } catch (cause) {
    throw new QueueError(
      'cannot run the model: the package fast-check cannot be loaded; install it: npm install --save-dev fast-check',
      { code: 'unsupported', cause },
    );
  }
}
