/**
 * Who is to hold the keys of a peer, those included that are away for a moment: a machine that restarts, or whose network
 * is gone for some minutes, comes back with what it has, and copies made in its stead would have been made for nothing.
 * So for as long as the policy says it keeps its place. While a second one is away there is no waiting.
 */
import { assert } from '../../base/errors.js';
import type { Id } from '../../ring/identifier.js';
import { between } from '../../ring/interval.js';
import type { PeerRef } from '../../ring/peer.js';
import { holderOrder } from '../placement.js';
import type { RememberedPeers } from '../remembered-peers.js';

export interface HoldersOptions {
  readonly remembered: Pick<RememberedPeers, 'seenWithin'>;
  /** Copies of each value. */
  readonly replicas: number;
  /** How long a machine that is away keeps its place. */
  readonly repairAfterMs: number;
}

/** Some keys in a row, and who is to hold them. */
export interface HeldArc {
  /** The last one of the keys, clockwise: the place of their owner, be it here or away. */
  readonly upTo: Id;
  /** Those that are to hold them and are within reach, nearest first. */
  readonly present: readonly PeerRef[];
  /** Those behind them, in order: they stand in for holders that have no room. */
  readonly standIns: readonly PeerRef[];
  /** How many are away, and keep their place. */
  readonly away: number;
}

/**
 * Who is to hold a key, and those behind it up to its owner.
 * @param members the ring from the owner on, as far as it is known
 * @param isWhole whether that is everybody
 */
export function holdersFrom(
  key: Id,
  members: readonly PeerRef[],
  isWhole: boolean,
  { remembered, replicas, repairAfterMs }: HoldersOptions,
): HeldArc {
  const last = members.at(-1);
  assert(last !== undefined, 'a ring has members');
  const ids = new Set(members.map(({ id }) => id));
  const machines = new Set(members.map(({ machine }) => machine));
  const away = remembered
    .seenWithin(repairAfterMs)
    .filter(({ id, machine }) => !ids.has(id) && !machines.has(machine))
    .filter(({ id }) => isWhole || id === key || between(key, id, last.id));
  const inOrder = [...members, ...away].sort(clockwiseFrom(key));
  const wanted = holderOrder(inOrder).slice(0, replicas);
  const staying = wanted.filter(({ id }) => ids.has(id));
  const isWaitedFor = wanted.length - staying.length === 1;
  const present = isWaitedFor ? staying : holderOrder(members).slice(0, replicas);
  return {
    upTo: inOrder[0]?.id ?? last.id,
    present,
    standIns: holderOrder(members).filter((peer) => !present.includes(peer)),
    away: isWaitedFor ? 1 : 0,
  };
}

function clockwiseFrom(key: Id): (a: PeerRef, b: PeerRef) => number {
  return (a, b) => {
    if (a.id === b.id) return 0;
    return a.id === key || (b.id !== key && between(key, a.id, b.id)) ? -1 : 1;
  };
}
