// What the README says of the backends, made from what their drivers say of themselves.

/** @typedef {import('../src/queue/driver.js').Capabilities} Capabilities */

/** A column each; nothing is opened, since a driver knows what it can before it has met its server. */
export const backends = [
  { name: 'SQLite', url: 'sqlite:queue.db' },
  { name: 'MySQL, MariaDB', url: 'mysql://localhost/queue' },
  { name: 'RabbitMQ', url: 'amqp://localhost' },
  { name: 'memory', url: 'memory:' },
];

const dayMs = 24 * 60 * 60 * 1000;

/** @type {readonly (readonly [what: string, of: (capabilities: Capabilities) => string])[]} */
const rows = [
  ['survives the end of every process', ({ durable }) => yesNo(durable)],
  ['delays: exact to, at most', ({ delay }) => `${delay.resolutionMs} ms, ${days(delay.maxMs)}`],
  ['order by key: lanes of a topic, at most', ({ ordering }) => String(ordering.lanes)],
  [
    'a slow key holds up',
    ({ ordering }) => (ordering.keyIsolation === 'full' ? 'nobody else' : 'its lane, once a window waits'),
  ],
  ['idempotency keys, remembered for', ({ dedup }) => (dedup === null ? 'no' : days(dedup.windowMs))],
  ['publishing inside your own transaction', ({ transactions }) => yesNo(transactions)],
  ['an outbox leaves', ({ atomicOutbox }) => (atomicOutbox ? 'in the instant of the ack' : 'before the ack')],
  ['an open transaction holds up publishers', ({ singleWriter }) => yesNo(singleWriter)],
  [
    'a delivery is kept for its holder by',
    ({ lease }) => (lease === null ? 'its connection' : `a lease of ${lease.ms / 1000} s, extended`),
  ],
  ['counts redeliveries, so ends crash loops', ({ countsRedeliveries }) => yesNo(countsRedeliveries)],
  ['giving back counts as a redelivery', ({ countsGiveBack }) => yesNo(countsGiveBack)],
  ['knows of a group what is', ({ depth }) => depthText(depth)],
  ['largest body', ({ limits }) => bytes(limits.bodyBytes)],
  ['largest headers', ({ limits }) => bytes(limits.headerBytes)],
];

/**
 * A Markdown table with a column per backend. Pure.
 * @param {readonly { readonly name: string, readonly capabilities: Capabilities }[]} backends
 */
export function capabilitiesTable(backends) {
  const lines = [
    ['', ...backends.map(({ name }) => name)],
    ['---', ...backends.map(() => '---')],
    ...rows.map(([what, of]) => [what, ...backends.map(({ capabilities }) => of(capabilities))]),
  ];
  return lines.map((cells) => `| ${cells.join(' | ')} |\n`).join('');
}

const begin = '<!-- capabilities: npm run capabilities writes this table -->\n\n';
const end = '\n<!-- end of capabilities -->\n';

/**
 * The README with another table. Throws where its marks are missing. Pure.
 * @param {string} readme
 * @param {string} table
 */
export function withTable(readme, table) {
  const from = readme.indexOf(begin);
  const to = readme.indexOf(end);
  if (from < 0 || to < from) throw new Error(`the README has no "${begin.trim()}" with its end`);
  return readme.slice(0, from + begin.length) + table + readme.slice(to);
}

/** @param {boolean} is */
function yesNo(is) {
  return is ? 'yes' : 'no';
}

/** @param {number} ms */
function days(ms) {
  return `${Math.floor(ms / dayMs)} days`;
}

/** @param {number} count */
function bytes(count) {
  return count < 1024 * 1024 ? `${Math.floor(count / 1024)} KiB` : `${Math.floor(count / 1024 / 1024)} MiB`;
}

/** @param {Capabilities['depth']} depth */
function depthText(depth) {
  const names = Object.entries({
    ready: 'ready',
    delayed: 'delayed',
    inHand: 'in hand',
    dead: 'dead',
    oldestAgeMs: 'its oldest',
  });
  const known = names.filter(([field]) => /** @type {Record<string, boolean>} */ (depth)[field]);
  return known.length === names.length
    ? 'ready, delayed, in hand, dead; its oldest'
    : known.map(([, text]) => text).join(', ');
}
