import { z } from 'zod';
import { maskUrl } from './mask-url.js';
import {
  choiceSetting,
  millisecondsSetting,
  type Setting,
  type Source,
  switchSetting,
  textSetting,
  wholeNumberSetting,
} from './setting.js';

export const runnerNames = ['noop', 'scripted'] as const;
export type RunnerName = (typeof runnerNames)[number];

const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

const defaultQueueUrl = 'sqlite:.signalbox/queue.db';
export const defaultStoreUrl = 'sqlite:.signalbox/builds.db';

/** Whether a URL is one of the defaults, which lie in a folder that we make ourselves. */
export function isOwnFile(url: string): boolean {
  return url === defaultQueueUrl || url === defaultStoreUrl;
}

const url = z.string('must be a URL');
const amqpUrl = url.regex(/^amqps?:/i, 'must be a URL of RabbitMQ, such as amqp://user@host:5672/vhost');
/** AMQP's own limit on names. */
const amqpName = z
  .string('must be a name')
  .min(1, 'must not be empty')
  .refine((name) => Buffer.byteLength(name) <= 255, 'must have at most 255 bytes');

const queue = textSetting(
  {
    key: 'queue',
    help: 'the queue: sqlite:FILE, mysql://…, amqp://… or memory:NAME',
    flags: ['--queue <url>'],
    environment: ['QUEUE_URL'],
  },
  url,
  defaultQueueUrl,
  maskUrl,
);
const amqpUrlSource = (name: string): Source<string> => ({ name, text: amqpUrl, choices: null });

/** All of them, in the order in which they are shown. */
export const settings = {
  queue: {
    ...queue,
    flags: [...queue.flags, amqpUrlSource('--amqp-url <url>')],
    environment: [...queue.environment, amqpUrlSource('AMQP_URL')],
  },
  store: textSetting(
    {
      key: 'store',
      help: 'where builds are kept: sqlite:FILE or mysql://…',
      flags: ['--store <url>'],
      environment: ['STORE_URL'],
      defaultText: `as the queue; with RabbitMQ ${defaultStoreUrl}`,
    },
    url,
    null,
    maskUrl,
  ),
  logLevel: choiceSetting(
    {
      key: 'logLevel',
      help: 'the least that is logged',
      flags: ['--log-level <level>'],
      environment: ['LOG_LEVEL'],
    },
    logLevels,
    'info',
  ),
  logJson: switchSetting({
    key: 'logJson',
    help: 'logs are JSON lines',
    flags: ['--log-json [1|0]'],
    environment: ['LOG_JSON'],
    defaultText: 'unless stderr is a terminal',
  }),
  runner: choiceSetting(
    {
      key: 'runner',
      help: 'who builds: noop (all succeed at once) or scripted (a build farm as in the demonstration)',
      flags: ['--runner <name>'],
      environment: ['SIGNALBOX_RUNNER'],
    },
    runnerNames,
    'noop',
  ),
  pollAcceptedMs: millisecondsSetting(
    {
      key: 'pollAcceptedMs',
      help: 'time to the next poll of an accepted build',
      flags: ['--poll-accepted-ms <ms>'],
      environment: ['SIGNALBOX_POLL_ACCEPTED_MS'],
    },
    5_000,
  ),
  pollRunningMs: millisecondsSetting(
    {
      key: 'pollRunningMs',
      help: 'time to the next poll of a running build',
      flags: ['--poll-running-ms <ms>'],
      environment: ['SIGNALBOX_POLL_RUNNING_MS'],
    },
    2_000,
  ),
  deadlineMs: millisecondsSetting(
    {
      key: 'deadlineMs',
      help: 'a build that takes longer is cancelled',
      flags: ['--deadline-ms <ms>'],
      environment: ['SIGNALBOX_DEADLINE_MS'],
    },
    6 * 60 * 60 * 1_000,
  ),
  concurrency: wholeNumberSetting(
    {
      key: 'concurrency',
      help: 'messages of each topic worked on at once',
      flags: ['--concurrency <n>'],
      environment: ['SIGNALBOX_CONCURRENCY'],
    },
    { min: 1, max: 1_000 },
    16,
  ),
  prefetch: wholeNumberSetting(
    {
      key: 'prefetch',
      help: 'messages of each topic held at once, those being worked on among them',
      flags: ['--prefetch <n>', '--amqp-prefetch <n>'],
      environment: ['SIGNALBOX_PREFETCH', 'AMQP_PREFETCH'],
    },
    { min: 1, max: 65_535 },
    256,
  ),
  stopWithinMs: millisecondsSetting(
    {
      key: 'stopWithinMs',
      help: 'how long handlers may go on once asked to stop',
      flags: ['--stop-within-ms <ms>'],
      environment: ['SIGNALBOX_STOP_WITHIN_MS'],
    },
    30_000,
  ),
  amqpExchange: amqpNameSetting('exchange', 'the exchange of job requests', 'EXCHANGE'),
  amqpQueue: amqpNameSetting('queue', 'the queue of job requests', 'QUEUE'),
  amqpRoutingKey: amqpNameSetting('routingKey', 'the routing key of job requests', 'ROUTING_KEY'),
  amqpDlx: amqpNameSetting('dlx', 'the exchange of dead job requests', 'DLX'),
  amqpDlq: amqpNameSetting('dlq', 'the queue of dead job requests', 'DLQ'),
} as const;

/** A name in a topology that somebody else made up. */
function amqpNameSetting(key: string, what: string, name: string): Setting<string | null> {
  return textSetting(
    {
      key: `amqp.${key}`,
      help: `RabbitMQ only: ${what}, where it is not ours to name`,
      flags: [`--amqp-${name.toLowerCase().replace('_', '-')} <name>`],
      environment: [`AMQP_${name}`],
      defaultText: 'our own',
    },
    amqpName,
    null,
  );
}

/** The settings that every command with a queue has; the others belong to the commands that say so. */
export const queueSettings = [
  settings.queue,
  settings.amqpExchange,
  settings.amqpQueue,
  settings.amqpRoutingKey,
  settings.amqpDlx,
  settings.amqpDlq,
] as const;

export const allSettings: readonly Setting[] = Object.values(settings) as readonly Setting[];
