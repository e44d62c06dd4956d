/** An ideal ring in which some peers lie, as those see it who ask: peers by their lookups, clients by a transport. */
import { PeerStoreError } from '../../src/base/errors.js';
import { limits } from '../../src/base/limits.js';
import { first } from '../../src/ring/circle.js';
import type { Id } from '../../src/ring/identifier.js';
import type { PeerRef } from '../../src/ring/peer.js';
import { type LookupStep, lookupStep } from '../../src/ring/routing.js';
import type { MethodName, RequestOf, ResponseOf } from '../../src/wire/catalogue.js';
import type { Endpoint, Reply, Transport } from '../../src/wire/transport.js';
import { type Gang, strategies, type Strategy, type StrategyName } from './liars.js';

export class LyingNetwork {
  readonly #gang: Gang;
  readonly #strategy: StrategyName | undefined;
  readonly #byAddress: ReadonlyMap<string, PeerRef>;
  /** Liars that were asked since {@link forget}. */
  readonly liarsAsked = new Set<Id>();
  /** Questions since then, and those of them that nobody answered. */
  asked = 0;
  unanswered = 0;

  /** @param strategy undefined for liars that tell the truth */
  constructor(gang: Gang, strategy: StrategyName | undefined) {
    this.#gang = gang;
    this.#strategy = strategy;
    this.#byAddress = new Map(gang.ring.peers.map((peer) => [peer.address, peer]));
  }

  /** Begins to count anew. */
  forget(): void {
    this.liarsAsked.clear();
    this.asked = 0;
    this.unanswered = 0;
  }

  /** The truth, as a peer knows it by its pointers and fingers. */
  truth(peer: PeerRef, key: Id): LookupStep {
    const { ring } = this.#gang;
    return lookupStep(ring.state(peer.id), ring.fingers(peer.id), key);
  }

  /** One step of a lookup, asked of a peer. @throws PeerStoreError UNREACHABLE when there is no such peer. */
  step(to: Endpoint, key: Id): LookupStep {
    const peer = this.#reach(to);
    const truth = this.truth(peer, key);
    return this.#liesOf(peer)?.step(this.#gang, peer, key, truth) ?? truth;
  }

  /** The network of a client, which asks for steps, for pointers and for pages of known peers. */
  transport(): Transport {
    const refuse = (): Promise<never> => Promise.reject(new Error('a client does not listen'));
    return {
      call: async <M extends MethodName>(
        to: Endpoint,
        method: M,
        request: RequestOf<M>,
      ): Promise<Reply<M>> => {
        await Promise.resolve();
        return { response: this.#respond(to, method, request) as ResponseOf<M>, body: new Uint8Array() };
      },
      listen: refuse,
      close: () => Promise.resolve(),
    };
  }

  #respond(to: Endpoint, method: MethodName, request: unknown): unknown {
    if (method === 'successor') return this.step(to, (request as RequestOf<'successor'>).key);
    const peer = this.#reach(to);
    if (method === 'successorList') {
      const truth = this.#gang.ring.state(peer.id);
      return this.#liesOf(peer)?.neighbourhood(this.#gang, truth) ?? truth;
    }
    if (method === 'knownPeers') {
      const { after } = request as RequestOf<'knownPeers'>;
      const known = this.#gang.ring.from(after, (id) => id !== after && id !== peer.id);
      return { peers: this.#liesOf(peer)?.page(this.#gang, peer) ?? first(limits.knownPeersPage, known) };
    }
    throw new Error(`nobody here answers ${method}`);
  }

  #liesOf({ id }: PeerRef): Strategy | undefined {
    return this.#strategy !== undefined && this.#gang.ids.has(id) ? strategies[this.#strategy] : undefined;
  }

  /** Whoever answers has proved its identifier. */
  #reach({ address, id }: Endpoint): PeerRef {
    this.asked += 1;
    const peer = this.#byAddress.get(address);
    if (peer === undefined || (id !== undefined && id !== peer.id)) {
      this.unanswered += 1;
      throw new PeerStoreError('UNREACHABLE', `there is nobody at ${address}`);
    }
    if (this.#gang.ids.has(peer.id)) this.liarsAsked.add(peer.id);
    return peer;
  }
}
