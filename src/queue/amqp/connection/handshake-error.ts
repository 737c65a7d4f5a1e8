import { Refusal } from '../../driver.js';
import { LinkError } from './link-error.js';
import { type BrokerHost, type ConnectionSettings, describeHost } from './settings.js';

/** What Node's TLS says of a certificate that it does not believe. */
const certificateErrors: ReadonlySet<string> = new Set([
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
]);

/**
 * Why a connection was not made. What somebody must mend is a refusal that says so, the rest is `unavailable`.
 *
 * The one place that reads a message: of what a broker says during the handshake, amqplib 2.3 keeps nothing
 * but its own text, with the reply code in it. The tests meet real brokers, so a change of it does not pass unseen.
 */
export function handshakeError(error: unknown, to: BrokerHost, { vhost }: ConnectionSettings): Error {
  if (error instanceof Refusal || error instanceof LinkError) return error;
  const host = describeHost(to);
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  const message = messageOf(error);
  if (code !== undefined && certificateErrors.has(code)) {
    return new Refusal(
      'auth',
      `the TLS certificate of ${host} is not trusted (${code})`,
      'give its CA, or its name, in the TLS settings',
    );
  }
  if (code === 'EPROTO' || code?.startsWith('ERR_SSL_') || code?.startsWith('ERR_OSSL_')) {
    return new Refusal(
      'invalid',
      `${host} and the TLS settings do not go together (${code})`,
      'see whether that port speaks TLS, and look at certificate and key',
    );
  }
  const replyCode = Number(/^Handshake terminated by server: (\d{3}) /.exec(message)?.[1] ?? Number.NaN);
  if (replyCode === 403) return new Refusal('auth', `${host} refuses user name or password`, 'check them');
  if (message.startsWith('Expected ConnectionOpenOk; got <ConnectionClose')) {
    return new Refusal(
      'denied',
      `${host} refuses to open the vhost "${vhost}"`,
      'see that it exists, that the user may use it, and that no connection limit is reached',
    );
  }
  return new LinkError(`no connection to ${host}: ${message || 'no reason given'}`, {
    code: 'unavailable',
    replyCode: Number.isNaN(replyCode) ? null : replyCode,
    cause: error,
  });
}

/** Of a name with several addresses, each is tried, and the error for all of them says nothing itself. */
function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(messageOf).join(', ');
  return error instanceof Error ? error.message : '';
}
