/** The calling half of the TLS transport: a connection to a peer that has proved who it is. */
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';

import { PeerStoreError, systemCode } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { addressToCall, canonicalAddress } from './address.js';
import { Connection } from './connection.js';
import { asPeerStoreError } from './errors.js';
import { checkExpected } from './expected.js';
import { memberBounds } from './frame-parser.js';
import type { Identity } from './identity.js';
import { tlsReason, type TlsContext } from './tls-context.js';
import { checkPinned, identityOf } from './tls-verify.js';
import { ReadBuffer } from './read-buffer.js';
import type { Endpoint } from './transport.js';

/**
 * Connects, and checks who is there before anything is sent.
 * @throws PeerStoreError UNREACHABLE when nobody answers, NOT_ADMITTED when it is somebody else or we are refused,
 * USAGE for an address that makes no sense, and the signal's reason when it fires first.
 */
export function connectTls(context: TlsContext, to: Endpoint, signal: AbortSignal): Promise<Connection> {
  return new Promise((resolve, reject) => {
    const { host, port } = addressToCall(to.address);
    const { clock, secure } = context;
    // rejectUnauthorized is off because checkPeer decides, before anything is sent; see tls-verify.ts.
    const reads = new ReadBuffer();
    const { onread } = reads;
    // `onread` is in Node's documentation, and not in its types.
    const options: ConnectionOptions & Pick<ReadBuffer, 'onread'> = {
      ...secure,
      host,
      port,
      rejectUnauthorized: false,
      onread,
    };
    const socket = connect(options);
    socket.setNoDelay(true);
    const fail = (error: PeerStoreError): void => {
      onEnd();
      socket.on('error', () => undefined);
      socket.destroy();
      reject(error);
    };
    const onAbort = (): void => fail(signal.reason as PeerStoreError);
    const onError = (error: Error): void => fail(explainFailure(to.address, error));
    const onClose = (): void =>
      fail(new PeerStoreError('UNREACHABLE', `${to.address} closed the connection during the TLS handshake`));
    const timer = clock.setTimer(limits.connectTimeoutMs, () =>
      fail(
        new PeerStoreError(
          'UNREACHABLE',
          `${to.address} did not answer within ${limits.connectTimeoutMs} ms; is a peer running there?`,
        ),
      ),
    );
    const onEnd = (): void => {
      timer.cancel();
      signal.removeEventListener('abort', onAbort);
      socket.off('error', onError).off('close', onClose);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    socket.once('error', onError).once('close', onClose);
    socket.once('secureConnect', () => {
      // In this very turn, so that the socket is never without somebody who hears its errors.
      try {
        const identity = checkPeer(context, to, socket);
        onEnd();
        resolve(openConnection(context, to, socket, identity, reads));
      } catch (error) {
        fail(asPeerStoreError(error));
      }
    });
  });
}

function openConnection(
  { clock, log, memory }: TlsContext,
  to: Endpoint,
  stream: TLSSocket,
  identity: Identity,
  reads: ReadBuffer,
): Connection {
  return new Connection({
    stream,
    onBytes: (take) => reads.to(take),
    clock,
    log,
    remote: to.address,
    identity,
    bounds: memberBounds,
    memory,
    idleMs: limits.connectionIdleMs,
    explain: (error) => explainFailure(to.address, error),
  });
}

function checkPeer({ trust, pinnedKeys }: TlsContext, to: Endpoint, socket: TLSSocket): Identity {
  const leaf = socket.getPeerX509Certificate();
  if (leaf === undefined) {
    throw new PeerStoreError('NOT_ADMITTED', `${to.address} was refused: it has no certificate`);
  }
  const identity = identityOf(leaf, to.address, trust);
  checkExpected(identity, to);
  const pinned = pinnedKeys.get(canonicalAddress(to.address));
  if (pinned !== undefined) checkPinned(leaf, to.address, pinned);
  return identity;
}

/** What a failure of the socket means. A TLS alert about our certificate says that we are not admitted. */
function explainFailure(address: string, error: Error): PeerStoreError {
  const code = systemCode(error) ?? '';
  if (/^ERR_SSL_.*ALERT_.*(CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED)/.test(code)) {
    return new PeerStoreError('NOT_ADMITTED', `${address} does not accept our certificate (${code})`, {
      cause: error,
    });
  }
  // Several addresses of one name that all failed come as one error without a message.
  const tried = error instanceof AggregateError ? (error.errors[0] as unknown) : error;
  return new PeerStoreError('UNREACHABLE', `cannot reach ${address}: ${tlsReason(tried)}`, { cause: error });
}
