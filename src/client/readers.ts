/**
 * Whom a reader asks for a value: its holders, and then the peers that follow them round the ring.
 *
 * A value lies with its holders as the ring was when it was written. Newcomers may have come to stand before them since;
 * and what was written while the ring was cut in parts lies with whoever stood in, which may be any of its peers. So only
 * the word of many says that there is no value, or no newer one.
 */
import { hasCode, isFailure } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { Id, PeerRef, Transport } from '../wire/index.js';
import type { Paths, RingView } from './ring-view.js';

export interface ReadersOptions {
  readonly view: RingView;
  readonly transport: Transport;
  readonly signal?: AbortSignal;
}

/** Silent peers that the way round the ring goes past at a time: the list of the one before leads on. */
const silentMost = 3;

/**
 * The peers to ask for a key, as one path to it says or two, the responsible one first, at most `limits.readersAsked`. Those behind the holders are
 * looked for only when more than the holders are asked for.
 * @throws PeerStoreError as {@link RingView.holders}; CANCELLED.
 */
export async function* readersOf(
  options: ReadersOptions,
  key: Id,
  paths: Paths,
): AsyncGenerator<PeerRef, void> {
  const holders = await options.view.holders(key, paths);
  const found = new Map(holders.map((peer) => [peer.id, peer]));
  yield* holders;
  while (found.size < limits.readersAsked) {
    const behind = await peersBehind(options, [...found.values()].sort(byDistanceFrom(key)));
    const unknown = behind.filter(({ id }) => !found.has(id)).slice(0, limits.readersAsked - found.size);
    if (unknown.length === 0) return;
    for (const peer of unknown) found.set(peer.id, peer);
    yield* unknown;
  }
}

/** The successors of the last of these peers that answers. */
async function peersBehind(
  { view, transport, signal }: ReadersOptions,
  peers: readonly PeerRef[],
): Promise<readonly PeerRef[]> {
  for (const peer of peers.slice(-silentMost).reverse()) {
    try {
      const until = signal === undefined ? {} : { signal };
      return (await transport.call(peer, 'successorList', {}, until)).response.successors;
    } catch (error) {
      if (!isFailure(error)) throw error;
      if (hasCode(error, 'UNREACHABLE', 'TIMEOUT')) view.suspect(peer);
    }
  }
  return [];
}

/** The order of the ring from a key on. */
function byDistanceFrom(key: Id): (a: PeerRef, b: PeerRef) => number {
  return (a, b) => {
    const [isAPast, isBPast] = [a.id < key, b.id < key];
    if (isAPast !== isBPast) return isAPast ? 1 : -1;
    return a.id < b.id ? -1 : 1;
  };
}
