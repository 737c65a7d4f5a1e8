/** The same text on 3.10 and 4.3; AMQP has no code of its own for it, and nothing else tells it from other 406s of a publish. */
const tooLarge = /message size \d+ is larger than configured max size (\d+)/;

/** How many bytes of a body the broker takes at most, where it closed the channel because of one with more; else null. */
export function sizeLimitIn(text: string): number | null {
  const bytes = tooLarge.exec(text)?.[1];
  return bytes === undefined ? null : Number(bytes);
}
