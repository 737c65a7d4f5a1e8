import type { Driver } from 'signalbox';

/** A client of which nothing is heard any more once its process was killed. */
export function mortal(driver: Driver, life: { readonly killed: boolean }): Driver {
  const silenced = <T extends object>(target: T): T =>
    new Proxy(target, {
      get: (inner, name) => {
        const value = bound(inner, name);
        if (typeof value === 'object' && value !== null && (name === 'admin' || name === 'lease'))
          return silenced(value);
        if (typeof value !== 'function' || ['classify', 'health'].includes(String(name))) return value;
        return (...args: unknown[]) => {
          // The process that was killed frees what it had; so does its stand-in, when the suite clears up.
          if (life.killed && name === 'close') return value(...args);
          if (life.killed) return new Promise(() => {});
          const answer: unknown = value(...args);
          if (!(answer instanceof Promise)) return answer;
          const heard = (result: unknown): unknown => {
            if (life.killed) return new Promise(() => {});
            return name === 'subscribe' ? silenced(result as object) : result;
          };
          return answer.then(heard, (error: unknown) => (life.killed ? new Promise(() => {}) : Promise.reject(error)));
        };
      },
    });
  return silenced(driver);
}

function bound(target: object, name: string | symbol): unknown {
  const value: unknown = Reflect.get(target, name, target);
  return typeof value === 'function' ? value.bind(target) : value;
}
