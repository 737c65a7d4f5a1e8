import { parseArgs } from 'node:util';
import { familyOf, isServerName, type ServerFamily, type ServerName } from '../test/servers/server-name.js';
import { mixes, type Plan } from './plan.js';
import { type Backend, backends } from './profile.js';

export interface SoakOptions extends Plan {
  readonly backend: Backend;
  /** Null: a server of our own. */
  readonly url: string | null;
  /** Which server our own is. */
  readonly server: ServerName | null;
  /** Three nodes of RabbitMQ of our own. */
  readonly cluster: boolean;
  readonly minutes: number;
  readonly consumers: number;
  readonly killServer: boolean;
  /** How long nothing may happen before what is still owed counts as lost, seconds. */
  readonly patienceSeconds: number;
  readonly json: boolean;
}

const usage =
  'usage: npm run soak -- mysql|amqp|sqlite [URL] [--server rabbitmq:3.10] [--cluster] [--minutes 2] [--messages 100000] [--consumers 4] [--seed N] [--mix half-delayed] [--no-server-kill] [--patience SECONDS] [--json]';

/** What to run, or the one line that says what is wrong and how it is used. Pure but for the seed, which is random unless given. */
export function readSoakArguments(args: readonly string[]): SoakOptions | { readonly usage: string } {
  const refuse = (fault: string) => ({ usage: `${fault}; ${usage}` });
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      allowNegative: true,
      options: {
        minutes: { type: 'string', default: '2' },
        messages: { type: 'string', default: '100000' },
        consumers: { type: 'string', default: '4' },
        seed: { type: 'string' },
        mix: { type: 'string', default: 'everything' },
        patience: { type: 'string' },
        'server-kill': { type: 'boolean', default: true },
        server: { type: 'string' },
        cluster: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
      },
    });
    const [name, url = null, ...more] = positionals;
    const backend = backends.find((each) => each === name);
    if (backend === undefined)
      return refuse(name === undefined ? 'no backend is named' : `there is no soak of ${JSON.stringify(name)}`);
    if (url !== null && (!URL.canParse(url) || !schemes[backend].includes(new URL(url).protocol))) {
      // Not the URL itself: it may hold a password.
      return refuse(`the ${backend} soak needs a URL that begins with ${schemes[backend].join(' or ')}`);
    }
    if (values.cluster && (backend !== 'amqp' || url !== null)) {
      return refuse('--cluster is for amqp without a URL: it starts three nodes of its own');
    }
    const server = values.server ?? null;
    if (server !== null && (url !== null || !isServerOf(backend, server))) {
      return refuse(`--server is for runs without a URL, and names a server of ${backend} as ${exampleOf[backend]}`);
    }
    const mix = mixes.find((each) => each === values.mix);
    if (mix === undefined) return refuse(`--mix must be ${mixes.join(' or ')}`);
    if (more.length > 0) return refuse('one soak at a time');
    const numbers = {
      messages: whole(values.messages),
      consumers: whole(values.consumers),
      seed: values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : whole(values.seed),
      // A dead letter worker of RabbitMQ that stands still tries again after 180 s: late, not lost.
      patience: values.patience === undefined ? (backend === 'amqp' ? 200 : 60) : whole(values.patience),
    };
    for (const [option, number] of Object.entries(numbers)) {
      if (number === null) return refuse(`--${option} must be a whole number from 1`);
    }
    const minutes = Number(values.minutes);
    if (!(values.minutes.trim() !== '' && Number.isFinite(minutes) && minutes > 0)) {
      return refuse('--minutes must be a number above 0');
    }
    return {
      ...{ backend, url, server, minutes, mix },
      ...{ cluster: values.cluster, killServer: values['server-kill'], json: values.json },
      messages: numbers.messages ?? 0,
      consumers: numbers.consumers ?? 0,
      seed: numbers.seed ?? 0,
      patienceSeconds: numbers.patience ?? 0,
    };
  } catch (error) {
    // What node:util says after its first sentence is advice about `--`, which fits no option of ours.
    return refuse(String(error instanceof Error ? error.message : error).split(/\. |\n/, 1)[0] ?? '');
  }
}

const schemes: Readonly<Record<Backend, readonly string[]>> = {
  mysql: ['mysql:', 'mariadb:'],
  amqp: ['amqp:', 'amqps:'],
  sqlite: ['sqlite:'],
};

const exampleOf: Readonly<Record<Backend, string>> = {
  mysql: 'mariadb:10.11 or mysql:9',
  amqp: 'rabbitmq:3.10',
  sqlite: 'none',
};

const families: Readonly<Record<Backend, readonly ServerFamily[]>> = {
  mysql: ['mysql', 'mariadb'],
  amqp: ['rabbitmq'],
  sqlite: [],
};

function isServerOf(backend: Backend, server: string): server is ServerName {
  return isServerName(server) && families[backend].includes(familyOf(server));
}

function whole(text: string): number | null {
  const number = Number(text);
  return text.trim() !== '' && Number.isSafeInteger(number) && number >= 1 ? number : null;
}
