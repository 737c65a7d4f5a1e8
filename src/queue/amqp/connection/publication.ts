/** A message as it goes to the broker; always `mandatory`: without it, the broker confirms what it drops for want of a queue. */
export interface Publication {
  readonly exchange: string;
  readonly routingKey: string;
  readonly body: Buffer;
  readonly properties: MessageProperties;
}

/** What AMQP says beside a body. Texts of 255 bytes at most. */
export interface MessageProperties {
  readonly contentType?: string;
  readonly contentEncoding?: string;
  /** See `writeTable`. */
  readonly headers?: Readonly<Record<string, unknown>>;
  /** Whether a classic queue keeps it when the broker dies; a quorum queue keeps it anyway. Default false. */
  readonly persistent?: boolean;
  /** 0 to 255. */
  readonly priority?: number;
  readonly correlationId?: string;
  readonly replyTo?: string;
  /** Milliseconds, in digits. */
  readonly expiration?: string;
  readonly messageId?: string;
  /** Seconds. */
  readonly timestamp?: number;
  readonly type?: string;
  readonly appId?: string;
}
