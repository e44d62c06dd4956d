import { connect as connectTcp, createServer, type AddressInfo, type Socket } from 'node:net';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';

import { expect } from 'chai';

import { systemClock } from '../../src/base/clock.js';
import { limits } from '../../src/base/limits.js';
import { encodeFrame, type FrameHeader } from '../../src/wire/frame.js';
import { FrameParser, memberBounds } from '../../src/wire/frame-parser.js';
import { createTlsTransport, type TlsTransportOptions } from '../../src/wire/tls.js';
import type { Listener, Transport } from '../../src/wire/transport.js';
import { type Authority, identify, type Issued, issue, makeAuthority } from './certificates.js';
import { collectingLogger, dispatchWith, failureOf } from './helpers.js';
import { ManualClock } from './manual-clock.js';

const hour = 3_600_000;

describe('the TLS transport, as to who may do what', () => {
  let authority: Authority;
  let peer: Issued;
  let user: Issued;
  let warnings: string[];
  let open: (Transport | Listener)[];
  let sockets: Socket[];
  let listener: Listener;
  let client: Transport;

  const transport = (options: Partial<TlsTransportOptions>): Transport => {
    const { log, lines } = collectingLogger('warn');
    warnings = lines;
    const made = createTlsTransport({ clock: systemClock, log, identify, ...options });
    open.push(made);
    return made;
  };
  const serve = async (issued: Issued, options: Partial<TlsTransportOptions> = {}): Promise<Listener> => {
    const server = transport({ credentials: issued.credentials, ...options });
    const made = await server.listen(
      '127.0.0.1:0',
      dispatchWith(() => Promise.resolve({ response: {} as never })),
    );
    open.push(made);
    return made;
  };
  const withCredentials = ({ credentials }: Issued): Transport => {
    const made = createTlsTransport({
      clock: systemClock,
      log: collectingLogger('warn').log,
      identify,
      credentials,
    });
    open.push(made);
    return made;
  };
  const stranger = (fingerprint: Uint8Array): Transport => {
    const made = createTlsTransport({
      clock: systemClock,
      log: collectingLogger('warn').log,
      identify,
      authorityFingerprint: fingerprint,
    });
    open.push(made);
    return made;
  };

  /** A TLS socket in the hands of the test, and what it is sent. */
  const rawSocket = (
    options: Partial<ConnectionOptions> = {},
  ): Promise<{ socket: TLSSocket; headers: FrameHeader[]; closed: Promise<void> }> => {
    const port = Number(listener.address.split(':')[1]);
    const headers: FrameHeader[] = [];
    const parser = new FrameParser(memberBounds, {
      onHeader: () => true,
      onFrame: (header) => headers.push(header),
    });
    return new Promise((resolve, reject) => {
      const socket = connect({
        port,
        host: '127.0.0.1',
        rejectUnauthorized: false,
        key: user.credentials.privateKeyPem,
        cert: user.credentials.certificatePem,
        ...options,
      });
      sockets.push(socket);
      const closed = new Promise<void>((end) => socket.once('close', () => end()));
      socket.on('data', (chunk: Uint8Array) => parser.push(chunk));
      socket.once('error', reject);
      socket.once('secureConnect', () => resolve({ socket, headers, closed }));
    });
  };
  const ping = (id: number): Uint8Array =>
    encodeFrame({ kind: 'request', id, method: 'ping', timeoutMs: 1000, params: {} }, 0);

  before(async () => {
    authority = await makeAuthority();
    peer = await issue(authority, 'peer server');
    user = await issue(authority, 'user client');
  });

  beforeEach(async () => {
    open = [];
    sockets = [];
    listener = await serve(peer);
    client = withCredentials(user);
  });

  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    for (const thing of open.reverse()) await thing.close(0);
  });

  it('needs a certificate or a fingerprint to know its ring by', () => {
    expect(() => transport({})).to.throw('fingerprint');
  });

  it('speaks TLS 1.3 and nothing older', async () => {
    const failure = rawSocket({ maxVersion: 'TLSv1.2' }).then(
      () => 'connected',
      (error: unknown) => String(error),
    );
    expect(await failure).to.contain('version');
    const { socket } = await rawSocket();
    expect(socket.getProtocol()).to.equal('TLSv1.3');
  });

  it('lets a stranger check the authority by its fingerprint before anything is sent', async () => {
    const { address } = listener;
    expect((await failureOf(stranger(authority.fingerprint).call({ address }, 'ping', {}))).code).to.equal(
      'FORBIDDEN',
    );
    const other = await makeAuthority();
    const error = await failureOf(stranger(other.fingerprint).call({ address }, 'ping', {}));
    expect(error.code).to.equal('NOT_ADMITTED');
    expect(error.message).to.contain('another ring');
  });

  it('does not let a peer of another ring pass under the name of our authority', async () => {
    // Its chain ends in our authority's certificate, which has not signed it.
    const other = await makeAuthority();
    const foreign = await issue(other, 'peer server');
    const forged = await serve({
      ...foreign,
      credentials: { ...foreign.credentials, authorityPem: authority.pem },
    });
    for (const caller of [stranger(authority.fingerprint), client]) {
      const error = await failureOf(caller.call({ address: forged.address }, 'ping', {}));
      expect(error.code).to.equal('NOT_ADMITTED');
    }
  });

  it('refuses a caller of another ring, who is told so, and logs one line', async () => {
    const other = await makeAuthority();
    const foreign = await issue(other, 'user client');
    const caller = withCredentials({
      ...foreign,
      credentials: { ...foreign.credentials, authorityPem: authority.pem },
    });
    const error = await failureOf(caller.call({ address: listener.address }, 'ping', {}));
    expect(error.code).to.equal('NOT_ADMITTED');
    expect(warnings).to.have.length(1);
    expect(warnings[0]).to.contain('127.0.0.1');
  });

  for (const [what, validity] of [
    ['has expired', { fromMs: -2 * hour, toMs: -hour }],
    ['is not valid yet', { fromMs: hour, toMs: 2 * hour }],
  ] as const) {
    it(`refuses a caller whose certificate ${what}`, async () => {
      const caller = withCredentials(await issue(authority, 'user client', validity));
      const error = await failureOf(caller.call({ address: listener.address }, 'ping', {}));
      expect(error.code).to.equal('NOT_ADMITTED');
      expect(warnings).to.have.length(1);
    });

    it(`refuses a peer whose certificate ${what}`, async () => {
      const { address } = await serve(await issue(authority, 'peer server', validity));
      for (const caller of [client, stranger(authority.fingerprint)]) {
        expect((await failureOf(caller.call({ address }, 'ping', {}))).code).to.equal('NOT_ADMITTED');
      }
    });
  }

  it('measures validity by the clock that it is given', async () => {
    // Its clock stands at a time when the certificates of these tests have long expired or are not valid yet.
    const { address } = await serve(peer, { clock: new ManualClock() });
    const error = await failureOf(client.call({ address }, 'ping', {}));
    expect(error.code).to.equal('NOT_ADMITTED');
  });

  it('refuses a caller whom identify does not recognise', async () => {
    const caller = withCredentials(await issue(authority, 'robot client'));
    const error = await failureOf(caller.call({ address: listener.address }, 'ping', {}));
    expect(error.code).to.equal('NOT_ADMITTED');
  });

  it('does not take a user for a peer', async () => {
    const { address } = await serve(user);
    const error = await failureOf(client.call({ address }, 'ping', {}));
    expect(error.message).to.contain('not a peer');
  });

  it('holds a peer to the key that is pinned to its address', async () => {
    const { address } = listener;
    const pinning = (key: Uint8Array): Transport =>
      transport({ credentials: user.credentials, pinnedKeys: new Map([[address, key]]) });
    await pinning(peer.publicKey).call({ address }, 'ping', {});
    const error = await failureOf(pinning(user.publicKey).call({ address }, 'ping', {}));
    expect(error.code).to.equal('NOT_ADMITTED');
    expect(error.message).to.equal(`the peer at ${address} does not have the key in its key file`);
  });

  it('holds a peer to its pinned key however its address is spelled', async () => {
    const port = listener.address.split(':')[1] ?? '';
    const spellings = [`:${port}`, `localhost:${port}`, `LocalHost:${port}`];
    for (const pinned of spellings) {
      for (const called of spellings) {
        const pinnedKeys = new Map([[pinned, user.publicKey]]);
        const pinning = transport({ credentials: user.credentials, pinnedKeys });
        const error = await failureOf(pinning.call({ address: called }, 'ping', {}));
        expect(error.code, `${called}, pinned as ${pinned}`).to.equal('NOT_ADMITTED');
      }
    }
  });

  for (const [what, bytes] of [
    ['garbage', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ['a frame of another version', Buffer.from([2, 0, 0, 1, 0, 0, 0, 0, 0xc0])],
    ['a frame that is too long', Buffer.from([1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])],
    ['a header that makes no sense', Buffer.from([1, 0, 0, 1, 0, 0, 0, 0, 0xc0])],
  ] as const) {
    it(`closes a connection that sends ${what}, with one line in the log, and no other`, async () => {
      await client.call({ address: listener.address }, 'ping', {});
      const { socket, closed } = await rawSocket();
      socket.write(bytes);
      await closed;
      expect(warnings).to.have.length(1);
      expect(warnings[0]).to.contain(`127.0.0.1:`);
      await client.call({ address: listener.address }, 'ping', {});
      expect(warnings).to.have.length(1);
    });
  }

  it('reads a request that comes one byte at a time', async () => {
    const { socket, headers } = await rawSocket();
    for (const byte of ping(1)) {
      await new Promise<void>((resolve) => {
        socket.write(Uint8Array.of(byte), () => resolve());
      });
    }
    while (headers.length === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(headers).to.deep.equal([{ kind: 'answer', id: 1, params: {} }]);
  });

  for (const [bytes, isTaken] of [
    [limits.strangerFrameBytes, true],
    [limits.strangerFrameBytes + 1, false],
  ] as const) {
    it(`${isTaken ? 'takes' : 'refuses'} a stranger's frame of ${bytes} bytes`, async () => {
      const { socket, headers, closed } = await rawSocket({ key: undefined, cert: undefined });
      const frame = (padding: number): Uint8Array =>
        encodeFrame(
          { kind: 'request', id: 1, method: 'enroll', timeoutMs: 9, params: 'x'.repeat(padding) },
          0,
        );
      socket.write(frame(bytes - frame(1000).length + 1000));
      if (!isTaken) await closed;
      while (headers.length === 0) await new Promise((resolve) => setImmediate(resolve));
      expect(headers[0]).to.include({ kind: 'error', code: 'PROTOCOL', id: isTaken ? 1 : 0 });
    });
  }

  it('turns strangers away beyond its limit, while others come in', async () => {
    const anonymous = { key: undefined, cert: undefined };
    for (let count = 0; count < limits.strangerConnections; count += 1) await rawSocket(anonymous);
    const { headers, closed } = await rawSocket(anonymous);
    await closed;
    expect(headers[0]).to.include({ kind: 'error', id: 0, code: 'BUSY' });
    await client.call({ address: listener.address }, 'ping', {});
  });

  it('ends the connection of a stranger who stays too long', async () => {
    const clock = new ManualClock(Date.now());
    listener = await serve(peer, { clock });
    const { closed } = await rawSocket({ key: undefined, cert: undefined });
    const member = await rawSocket();
    clock.advance(limits.strangerConnectionMs);
    await closed;
    expect(member.socket.destroyed).to.equal(false);
  });

  it('puts up with callers who connect and say nothing, with TLS or without', async () => {
    const port = Number(listener.address.split(':')[1]);
    const silent = connectTcp({ port, host: '127.0.0.1' });
    sockets.push(silent);
    await new Promise((resolve) => silent.once('connect', resolve));
    await rawSocket();
    await client.call({ address: listener.address }, 'ping', {});
    await listener.close(0);
  });

  it('ends the connection of whoever does not begin a handshake', async () => {
    const silent = connectTcp({ port: Number(listener.address.split(':')[1]), host: '127.0.0.1' });
    sockets.push(silent);
    silent.on('error', () => undefined);
    silent.resume();
    await new Promise((resolve) => silent.once('close', resolve));
  });

  it('ends a call to something that speaks no TLS, or says nothing, with an error', async () => {
    for (const [reply, code] of [
      ['SSH-2.0-x\r\n', 'UNREACHABLE'],
      [undefined, 'TIMEOUT'],
    ] as const) {
      const other = createServer((socket) => {
        sockets.push(socket);
        socket.on('error', () => undefined);
        if (reply !== undefined) socket.write(reply);
      });
      await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', () => resolve()));
      const address = `127.0.0.1:${(other.address() as AddressInfo).port}`;
      const error = await failureOf(client.call({ address }, 'ping', {}, { timeoutMs: 200 }));
      expect(error.code).to.equal(code);
      expect(error.message).to.contain(address);
      other.close();
    }
  });

  it('ends a call with UNREACHABLE when the other side hangs up in the handshake', async () => {
    const other = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', () => resolve()));
    const address = `127.0.0.1:${(other.address() as AddressInfo).port}`;
    expect((await failureOf(client.call({ address }, 'ping', {}))).code).to.equal('UNREACHABLE');
    other.close();
  });
});
