/** The transport of real life: TLS 1.3 with certificates on both ends. */
import type { MethodName, RequestOf } from './catalogue.js';
import { ConnectionPool } from './pool.js';
import { connectTls } from './tls-connect.js';
import { createTlsContext, type TlsTransportOptions } from './tls-context.js';
import { listenTls } from './tls-listen.js';
import type { CallOptions, Endpoint, Reply, Transport } from './transport.js';

export { type TlsCredentials, type TlsTransportOptions } from './tls-context.js';

/**
 * A transport over TLS. Without credentials it is a stranger's: it can only enroll, with peers whose authority has the
 * fingerprint.
 * @throws PeerStoreError USAGE when there are neither credentials nor a fingerprint.
 */
export function createTlsTransport(options: TlsTransportOptions): Transport {
  const context = createTlsContext(options);
  const pool = new ConnectionPool({
    clock: options.clock,
    connect: (to, signal) => connectTls(context, to, signal),
  });
  return {
    call: <M extends MethodName>(to: Endpoint, method: M, request: RequestOf<M>, how: CallOptions = {}) =>
      pool.call(to, method, request, how) as Promise<Reply<M>>,
    listen: (address, dispatch) => listenTls(context, address, dispatch),
    close: () => pool.close(),
  };
}
