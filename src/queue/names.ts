import { QueueError } from './errors.js';

/** Contract, numbers of the default configuration. */
const maxNameBytes = 100;
const maxKeyBytes = 255;

const controlCharacter = /\p{Cc}/u;

/** Why `name` cannot be the name of a topic or group, or null when it can. */
export function nameFault(name: unknown): string | null {
  if (typeof name !== 'string') return `is ${kindOf(name)}, not a string`;
  if (name === '') return 'is empty';
  if (/[*#]/.test(name)) return 'contains * or #, which are for patterns';
  return textFault(name, maxNameBytes);
}

/** Why `text` cannot be a key, id, routing key or idempotency key, or null when it can. */
export function textFault(text: unknown, maxBytes: number): string | null {
  if (typeof text !== 'string') return `is ${kindOf(text)}, not a string`;
  // The longest UTF-8 form of a UTF-16 unit has 3 bytes: short texts need no counting.
  if (text.length * 3 > maxBytes && Buffer.byteLength(text) > maxBytes) return `is longer than ${maxBytes} bytes`;
  if (controlCharacter.test(text)) return 'contains a control character';
  if (!text.isWellFormed()) return 'is not well-formed Unicode (a lone surrogate)';
  return null;
}

/** Rejects a text that a backend could not keep, naming the operation and which argument it was. */
export function checkText(operation: string, argument: string, text: unknown, maxBytes: number = maxKeyBytes): void {
  const fault = textFault(text, maxBytes);
  if (fault !== null) {
    throw new QueueError(`cannot ${operation}: ${argument} ${fault}; ${textRemedy(text, maxBytes)}`, {
      code: 'invalid',
    });
  }
}

/** What to do about a `textFault`. */
function textRemedy(text: unknown, maxBytes: number): string {
  if (typeof text !== 'string') return 'give a string, or leave it out';
  if (Buffer.byteLength(text) > maxBytes) return 'give a shorter string';
  return controlCharacter.test(text) ? 'leave such characters out' : 'mend it, text.toWellFormed() does';
}

/** A name as errors show it; of anything else only its kind, for it may be or hold anything. */
export function quoted(name: unknown): string {
  if (typeof name !== 'string') return kindOf(name);
  return plainName.test(name) ? `"${name}"` : JSON.stringify(name);
}

/** Needs no escapes: said with every publish, in case it fails. */
const plainName = /^[\w.:-]*$/;

/** A topic, or what was given as one, as errors show it. */
export function quotedTopic(topic: unknown): string {
  const name = typeof topic === 'string' ? topic : (topic as { readonly name?: unknown } | null | undefined)?.name;
  return typeof name === 'string' ? quoted(name) : 'a topic';
}

/** What a value is, without showing it. */
export function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  const type = typeof value;
  return type === 'undefined' ? 'undefined' : type === 'object' ? 'an object' : `a ${type}`;
}
