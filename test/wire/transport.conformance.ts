/** What every Transport has to do. Each implementation runs it: see transport.test.ts. */
import { expect } from 'chai';

import { errorCodes, type ErrorCode, PeerStoreError } from '../../src/base/errors.js';
import { limits } from '../../src/base/limits.js';
import { hashToId } from '../../src/ring/identifier.js';
import { utf8 } from '../../src/base/bytes.js';
import type { IncomingCall, Listener, Outcome, Transport } from '../../src/wire/transport.js';
import { peerIdentity, userIdentity } from './certificates.js';
import { Deferred, dispatchWith, failureOf } from './helpers.js';

/** One ring, on whose transports the tests run. */
export interface World {
  /** A transport of a peer, user (by name) or stranger. */
  transport(kind: 'peer' | 'user' | 'stranger', name: string): Transport;
  /** What the transports logged as errors. */
  readonly errors: string[];
}

const key = hashToId(utf8('key'));
const block = (sizeBytes: number): Uint8Array => new Uint8Array(sizeBytes).fill(7);

/** Runs the suite. */
export function describeTransport(name: string, makeWorld: () => World): void {
  describe(`the ${name} transport`, () => {
    let world: World;
    let server: Transport;
    let client: Transport;
    let open: (Transport | Listener)[];

    const transport = (kind: 'peer' | 'user' | 'stranger', who: string): Transport => {
      const made = world.transport(kind, who);
      open.push(made);
      return made;
    };
    const listen = async (
      handler: (call: IncomingCall) => Promise<Outcome<never>>,
      from: Transport = server,
    ): Promise<Listener> => {
      const listener = await from.listen('127.0.0.1:0', dispatchWith(handler));
      open.push(listener);
      return listener;
    };
    const answer = (response: unknown = {}, body?: Uint8Array): Promise<Outcome<never>> =>
      Promise.resolve({ response: response as never, ...(body && { body }) });

    beforeEach(() => {
      world = makeWorld();
      open = [];
      server = transport('peer', 'server');
      client = transport('user', 'client');
    });

    afterEach(async () => {
      for (const thing of open.reverse()) await thing.close(0);
    });

    it('gives the handler the request, and the caller the answer', async () => {
      const self = { id: key, machine: key, address: 'host:1', zone: 'attic' };
      let seen: unknown;
      const { address } = await listen((call) => {
        seen = { method: call.method, request: call.request };
        return answer({ found: true, peers: [self] });
      });
      const reply = await client.call({ address }, 'successor', { key });
      expect(seen).to.deep.equal({ method: 'successor', request: { key } });
      expect(reply.response).to.deep.equal({ found: true, peers: [self] });
      expect(reply.body).to.have.length(0);
    });

    for (const code of Object.keys(errorCodes) as ErrorCode[]) {
      it(`carries the error ${code} of a handler, with its message and wait`, async () => {
        const { address } = await listen(() =>
          Promise.reject(new PeerStoreError(code, 'because', { retryAfterMs: 70 })),
        );
        const error = await failureOf(client.call({ address }, 'ping', {}));
        expect([error.code, error.message, error.retryAfterMs]).to.deep.equal([code, 'because', 70]);
      });
    }

    it('turns an unplanned failure of a handler into INTERNAL without its message, and logs it', async () => {
      const { address } = await listen(() => {
        throw new TypeError('a secret path');
      });
      const error = await failureOf(client.call({ address }, 'ping', {}));
      expect(error.code).to.equal('INTERNAL');
      expect(error.message).to.not.contain('secret');
      expect(world.errors.join()).to.contain('a secret path');
    });

    it('turns an answer that breaks its own limit into INTERNAL', async () => {
      const { address } = await listen(() => answer({}, block(1)));
      expect((await failureOf(client.call({ address }, 'ping', {}))).code).to.equal('INTERNAL');
    });

    it('tells the handler who is calling', async () => {
      const callers: unknown[] = [];
      const { address } = await listen((call) => {
        callers.push(call.caller);
        return answer();
      });
      const peer = { id: key, machine: key, address: 'host:1' };
      await client.call({ address }, 'ping', {});
      await transport('peer', 'other').call({ address }, 'notify', { peer });
      expect(callers).to.deep.equal([userIdentity('client'), peerIdentity('other')]);
    });

    it('answers FORBIDDEN to callers that the catalogue does not admit, without asking the handler', async () => {
      let calls = 0;
      const { address } = await listen(() => {
        calls += 1;
        return answer();
      });
      const stranger = transport('stranger', 'nobody');
      const peer = { id: key, machine: key, address: 'host:1' };
      expect((await failureOf(client.call({ address }, 'notify', { peer }))).code).to.equal('FORBIDDEN');
      expect((await failureOf(stranger.call({ address }, 'ping', {}))).code).to.equal('FORBIDDEN');
      expect(calls).to.equal(0);
    });

    it('lets a stranger enroll', async () => {
      const response = { certificate: block(9), authority: block(8), peers: [] };
      const { address } = await listen(() => answer(response));
      const reply = await transport('stranger', 'nobody').call({ address }, 'enroll', {
        kind: 'user',
        secret: block(32),
        publicKey: block(32),
        signature: block(64),
      });
      expect([...reply.response.certificate]).to.deep.equal([...block(9)]);
    });

    it('answers PROTOCOL to a request of a wrong shape, and goes on', async () => {
      const { address } = await listen(() => answer({ present: [] }));
      const ids = Array.from({ length: limits.hasBlocksIds + 1 }, () => key);
      expect((await failureOf(client.call({ address }, 'hasBlocks', { ids }))).code).to.equal('PROTOCOL');
      await client.call({ address }, 'hasBlocks', { ids: ids.slice(1) });
    });

    it('ends a call with PROTOCOL when the answer has a wrong shape', async () => {
      const peers = Array.from({ length: 99 }, () => ({ id: key, machine: key, address: 'host:1' }));
      const { address } = await listen(() => answer({ found: false, peers }));
      expect((await failureOf(client.call({ address }, 'successor', { key }))).code).to.equal('PROTOCOL');
    });

    for (const sizeBytes of [0, 1, 16_383, 16_384, 65_537, limits.blockBytes - 1, limits.blockBytes]) {
      it(`carries bodies of ${sizeBytes} bytes both ways`, async () => {
        const { address } = await listen((call) =>
          answer(
            { sizeBytes: 1, isNew: true, copies: 1 },
            call.method === 'getBlock'
              ? block(sizeBytes)
              : (expect(Buffer.compare(call.body, block(sizeBytes))).to.equal(0), undefined),
          ),
        );
        await client.call({ address }, 'postBlock', { id: key }, { body: block(sizeBytes) });
        const { body } = await client.call({ address }, 'getBlock', { id: key });
        expect(Buffer.compare(body, block(sizeBytes))).to.equal(0);
      });
    }

    it('refuses a body that is one byte longer than the method allows', async () => {
      const { address } = await listen(() => answer());
      const body = block(limits.blockBytes + 1);
      const error = await failureOf(client.call({ address }, 'postBlock', { id: key }, { body }));
      expect(error.code).to.equal('PROTOCOL');
      expect((await failureOf(client.call({ address }, 'ping', {}, { body: block(1) }))).code).to.equal(
        'PROTOCOL',
      );
    });

    it('shares no memory between the two sides', async () => {
      const bodies: Uint8Array[] = [];
      const kept = block(100);
      const { address } = await listen((call) => {
        bodies.push(call.body);
        return answer(
          { isNew: true, copies: 1, sizeBytes: 100 },
          call.method === 'getBlock' ? kept : undefined,
        );
      });
      const body = block(100);
      await client.call({ address }, 'postBlock', { id: key }, { body });
      bodies[0]![0] = 99;
      expect(body[0]).to.equal(7);
      const reply = await client.call({ address }, 'getBlock', { id: key });
      reply.body[0] = 99;
      expect(kept[0]).to.equal(7);
    });

    it('handles requests concurrently and delivers answers in the order they are given', async () => {
      const first = new Deferred<Outcome<never>>();
      const { address } = await listen((call) =>
        call.method === 'ping' ? first.promise : answer({ predecessor: null }),
      );
      let isFirstDone = false;
      const slow = client.call({ address }, 'ping', {}).then(() => (isFirstDone = true));
      await client.call({ address }, 'predecessor', {});
      expect(isFirstDone).to.equal(false);
      first.resolve({ response: {} });
      await slow;
    });

    it('keeps a thousand calls in flight and gives each its own answer', async () => {
      const all = new Deferred<undefined>();
      let arrived = 0;
      const { address } = await listen(async (call) => {
        arrived += 1;
        if (arrived === 1000) all.resolve(undefined);
        await all.promise;
        return { response: { sizeBytes: (call as IncomingCall<'getBlock'>).request.offset } };
      });
      const replies = await Promise.all(
        Array.from({ length: 1000 }, (_, offset) =>
          client.call({ address }, 'getBlock', { id: key, offset }),
        ),
      );
      expect(replies.map((reply) => reply.response.sizeBytes)).to.deep.equal(replies.map((_, at) => at));
    });

    it('ends a call with TIMEOUT at its deadline, and fires the signal of its handler', async () => {
      const aborted = new Deferred<undefined>();
      const { address } = await listen((call) => untilAborted(call, aborted));
      const error = await failureOf(client.call({ address }, 'ping', {}, { timeoutMs: 30 }));
      expect(error.code).to.equal('TIMEOUT');
      expect(error.message).to.contain(address).and.contain('ping');
      await aborted.promise;
    });

    it('ends a call with CANCELLED when its signal fires, and fires the signal of its handler', async () => {
      const started = new Deferred<undefined>();
      const aborted = new Deferred<undefined>();
      const { address } = await listen((call) => {
        started.resolve(undefined);
        return untilAborted(call, aborted);
      });
      const controller = new AbortController();
      const failure = failureOf(client.call({ address }, 'ping', {}, { signal: controller.signal }));
      await started.promise;
      controller.abort();
      expect((await failure).code).to.equal('CANCELLED');
      await aborted.promise;
    });

    it('does not begin a call whose signal has fired', async () => {
      const { address } = await listen(() => answer());
      const error = await failureOf(client.call({ address }, 'ping', {}, { signal: AbortSignal.abort() }));
      expect(error.code).to.equal('CANCELLED');
    });

    it('goes on after a cancelled call: its late answer is ignored', async () => {
      const late = new Deferred<Outcome<never>>();
      const { address } = await listen((call) =>
        call.method === 'ping' ? late.promise : answer({ predecessor: null }),
      );
      await failureOf(client.call({ address }, 'ping', {}, { timeoutMs: 5 }));
      late.resolve({ response: {} });
      expect((await client.call({ address }, 'predecessor', {})).response).to.deep.equal({
        predecessor: null,
      });
    });

    it('calls a peer by its identifier, and refuses another one there', async () => {
      const { address } = await listen(() => answer());
      await client.call({ address, id: peerIdentity('server').ids[0]! }, 'ping', {});
      const error = await failureOf(client.call({ address, id: key }, 'ping', {}));
      expect(error.code).to.equal('NOT_ADMITTED');
      expect(error.message).to.contain(key.slice(0, 12));
      expect(error.message).to.contain(peerIdentity('server').ids[0]!.slice(0, 12));
    });

    it('ends a call to nobody with UNREACHABLE, naming the address', async () => {
      const { address, close } = await bound(await listen(() => answer()));
      await close();
      const error = await failureOf(client.call({ address }, 'ping', {}));
      expect(error.code).to.equal('UNREACHABLE');
      expect(error.message).to.contain(address);
    });

    for (const address of ['', 'host', 'host:', 'host:65536', '::1:80', 'a b:1', 'host:0']) {
      it(`ends a call to "${address}" with USAGE`, async () => {
        expect((await failureOf(client.call({ address }, 'ping', {}))).code).to.equal('USAGE');
      });
    }

    it('refuses to listen where somebody else does with IN_USE', async () => {
      const { address } = await listen(() => answer());
      const error = await failureOf(
        transport('peer', 'other').listen(
          address,
          dispatchWith(() => answer()),
        ),
      );
      expect(error.code).to.equal('IN_USE');
      expect(error.message).to.contain(address);
    });

    it('refuses to listen without a certificate', async () => {
      const stranger = transport('stranger', 'nobody');
      const failure = failureOf(
        stranger.listen(
          '127.0.0.1:0',
          dispatchWith(() => answer()),
        ),
      );
      expect((await failure).code).to.equal('USAGE');
    });

    it('listens on every interface for an empty host, and calls this machine for it', async () => {
      const listener = await server.listen(
        ':0',
        dispatchWith(() => answer()),
      );
      open.push(listener);
      expect(listener.address).to.match(/^:[1-9]\d*$/);
      await client.call({ address: listener.address }, 'ping', {});
      await client.call({ address: `localhost${listener.address}` }, 'ping', {});
    });

    it('lets the requests in hand end when a listener closes, and takes no more', async () => {
      const started = new Deferred<undefined>();
      const release = new Deferred<Outcome<never>>();
      const listener = await listen(() => {
        started.resolve(undefined);
        return release.promise;
      });
      const { address } = listener;
      const call = client.call({ address }, 'ping', {});
      await started.promise;
      const closed = listener.close(10_000);
      expect((await failureOf(client.call({ address }, 'ping', {}))).code).to.equal('UNREACHABLE');
      release.resolve({ response: {} });
      await call;
      await closed;
    });

    it('ends what is still in hand with UNREACHABLE when the grace of a closing listener is over', async () => {
      const started = new Deferred<undefined>();
      const aborted = new Deferred<undefined>();
      const listener = await listen((call) => {
        started.resolve(undefined);
        return untilAborted(call, aborted);
      });
      const failure = failureOf(client.call({ address: listener.address }, 'ping', {}));
      await started.promise;
      await listener.close(1);
      expect((await failure).code).to.equal('UNREACHABLE');
      await aborted.promise;
    });

    it('can be closed twice, also while a listener that came later is there', async () => {
      const listener = await listen(() => answer());
      await Promise.all([listener.close(0), listener.close(0)]);
      open.push(
        await server.listen(
          listener.address,
          dispatchWith(() => answer()),
        ),
      );
      await listener.close(0);
      await client.call({ address: listener.address }, 'ping', {});
      await client.close();
      await client.close();
    });

    it('can listen again where a listener was closed', async () => {
      const { address, close } = await bound(await listen(() => answer()));
      await client.call({ address }, 'ping', {});
      await close();
      open.push(
        await server.listen(
          address,
          dispatchWith(() => answer()),
        ),
      );
      await client.call({ address }, 'ping', {});
    });

    it('ends calls in hand with CANCELLED when the transport closes, fires their signals, and takes no more', async () => {
      const started = new Deferred<undefined>();
      const aborted = new Deferred<undefined>();
      const { address } = await listen((call) => {
        started.resolve(undefined);
        return untilAborted(call, aborted);
      });
      const failure = failureOf(client.call({ address }, 'ping', {}));
      await started.promise;
      await client.close();
      expect((await failure).code).to.equal('CANCELLED');
      await aborted.promise;
      expect((await failureOf(client.call({ address }, 'ping', {}))).code).to.equal('CANCELLED');
    });
  });
}

function untilAborted(call: IncomingCall, aborted: Deferred<undefined>): Promise<never> {
  return new Promise((_, reject) => {
    call.signal.addEventListener('abort', () => {
      aborted.resolve(undefined);
      reject(new PeerStoreError('CANCELLED', 'stopped'));
    });
  });
}

function bound(listener: Listener): Promise<{ address: string; close: () => Promise<void> }> {
  return Promise.resolve({ address: listener.address, close: () => listener.close(100) });
}
