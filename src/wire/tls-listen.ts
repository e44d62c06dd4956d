/** The answering half of the TLS transport: accepts connections, and finds out who is calling. */
import { createServer, type TLSSocket } from 'node:tls';
import type { AddressInfo, DropArgument, Server, Socket } from 'node:net';

import { messageOf, PeerStoreError, systemCode } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { formatAddress, parseAddress } from './address.js';
import { Callers } from './callers.js';
import { Connection, refuse } from './connection.js';
import { asPeerStoreError } from './errors.js';
import { memberBounds, strangerBounds } from './frame-parser.js';
import type { Identity } from './identity.js';
import { tlsReason, type TlsContext } from './tls-context.js';
import { identityOf } from './tls-verify.js';
import type { Dispatch, Listener } from './transport.js';

/**
 * Callers close an idle connection first, so that none of them writes a request into one that is just being closed
 * here: such a request would be lost, and could not be repeated safely.
 */
const idleMs = 1.5 * limits.connectionIdleMs;

/** Accepts calls. See Transport.listen. */
export async function listenTls(context: TlsContext, address: string, dispatch: Dispatch): Promise<Listener> {
  if (!context.hasCredentials) {
    throw new PeerStoreError('USAGE', `cannot listen at ${address} without a certificate`);
  }
  const accepting = new Accepting(context, dispatch);
  const server = createServer({
    ...context.secure,
    requestCert: true,
    // Off because Accepting decides, before any request is read; see tls-verify.ts.
    rejectUnauthorized: false,
    handshakeTimeout: limits.connectTimeoutMs,
    noDelay: true,
  });
  server.maxConnections = limits.acceptedConnections;
  server.on('connection', (socket: Socket) => accepting.track(socket));
  server.on('secureConnection', (socket) => accepting.accept(socket));
  server.on('tlsClientError', (error, socket) => {
    context.log.info('a TLS handshake failed', { remote: remoteOf(socket), error: tlsReason(error) });
    // Node gives up on the handshake, and leaves the connection of somebody who says nothing open.
    socket.destroy();
  });
  server.on('drop', (dropped?: DropArgument) =>
    context.log.debug('a connection was dropped: too many are open', { remote: dropped?.remoteAddress }),
  );
  const { port } = await startListening(server, address);
  server.on('error', (error: Error) =>
    context.log.error('cannot accept a connection', { error: messageOf(error) }),
  );
  return {
    address: formatAddress({ host: parseAddress(address).host, port }),
    close: async (graceMs) => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      await accepting.end(graceMs);
      await closed;
    },
  };
}

function startListening(server: Server, address: string): Promise<AddressInfo> {
  const { host, port } = parseAddress(address);
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(explainListenFailure(address, error)));
    server.listen({ port, ...(host !== '' && { host }) }, () => {
      server.removeAllListeners('error');
      resolve(server.address() as AddressInfo);
    });
  });
}

function explainListenFailure(address: string, error: Error): PeerStoreError {
  const code = systemCode(error);
  if (code === 'EADDRINUSE') {
    return new PeerStoreError(
      'IN_USE',
      `cannot listen at ${address}: another program is listening there; choose another port or stop that program`,
      { cause: error },
    );
  }
  const isAddressWrong = ['EADDRNOTAVAIL', 'ENOTFOUND', 'EAI_AGAIN', 'EACCES', 'EINVAL'].includes(code ?? '');
  return new PeerStoreError(
    isAddressWrong ? 'USAGE' : 'IO',
    `cannot listen at ${address}: ${messageOf(error)}`,
    { cause: error },
  );
}

/** The connections that one listener has accepted. */
class Accepting {
  readonly #context: TlsContext;
  readonly #dispatch: Dispatch;
  /** Every socket, also those whose handshake is under way. */
  readonly #sockets = new Set<Socket>();
  readonly #connections = new Set<Connection>();
  readonly #callers: Callers;
  #isEnding = false;

  constructor(context: TlsContext, dispatch: Dispatch) {
    this.#context = context;
    this.#dispatch = dispatch;
    this.#callers = new Callers(context.memory);
  }

  track(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
  }

  /** A handshake is complete: the other side has the private key of its certificate, if it sent one. */
  accept(socket: TLSSocket): void {
    const { clock, log, trust } = this.#context;
    const remote = remoteOf(socket);
    try {
      if (this.#isEnding) throw new PeerStoreError('UNREACHABLE', 'the peer is shutting down');
      const leaf = socket.getPeerX509Certificate();
      const identity: Identity = leaf === undefined ? { kind: 'stranger' } : identityOf(leaf, remote, trust);
      const admitted = this.#callers.admit(identity);
      const isStranger = identity.kind === 'stranger';
      const connection = new Connection({
        stream: socket,
        clock,
        log,
        remote,
        identity,
        bounds: isStranger ? strangerBounds : memberBounds,
        dispatch: this.#dispatch,
        memory: admitted.memory,
        idleMs,
      });
      this.#connections.add(connection);
      void connection.closed.then(() => {
        admitted.leave();
        this.#connections.delete(connection);
      });
      if (isStranger) this.#limitStranger(connection);
    } catch (error) {
      const reason = asPeerStoreError(error);
      log.warn('refused a connection', { remote, error: reason.message });
      refuse(socket, clock, log, reason);
    }
  }

  /** Gives requests in hand time to end and closes every connection. */
  async end(graceMs: number): Promise<void> {
    this.#isEnding = true;
    await Promise.all([...this.#connections].map((connection) => connection.end(graceMs)));
    for (const socket of this.#sockets) socket.destroy();
  }

  #limitStranger(connection: Connection): void {
    const timer = this.#context.clock.setTimer(limits.strangerConnectionMs, () =>
      connection.abort(new PeerStoreError('UNREACHABLE', 'a caller without a certificate stayed too long')),
    );
    void connection.closed.then(() => timer.cancel());
  }
}

function remoteOf(socket: TLSSocket): string {
  const { remoteAddress, remotePort } = socket;
  if (remoteAddress === undefined || remotePort === undefined) return 'unknown';
  return formatAddress({ host: remoteAddress, port: remotePort });
}
