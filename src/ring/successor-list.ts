/**
 * Successor lists: what a peer knows of the ring behind it, nearest first.
 *
 * In a ring with more members than the list is long, a list has its full length. In a smaller one it is complete: it
 * names every other member and ends before it would come back to its owner. Two of the protocol's invariants can be
 * checked on a list alone (NoDuplicates and OrderedSuccessorLists of Zave 2017), so every list from another peer is.
 */
import type { Id } from './identifier.js';
import { between } from './interval.js';
import { isSameReference, type PeerRef } from './peer.js';

/**
 * Whether the identifiers, read after `owner`, go round the ring once at most, each strictly farther than the one before.
 * That is order and freedom from duplicates in one rule; `owner` itself may not occur.
 */
export function isOrdered(owner: Id, successors: readonly PeerRef[]): boolean {
  let before = owner;
  for (const { id } of successors) {
    if (id === owner || (before !== owner && !between(before, id, owner))) return false;
    before = id;
  }
  return true;
}

/**
 * The list of `owner` when `head` follows it and the rest is what `head` says comes after itself: as far as it stays on
 * this side of `owner`, and no longer than `length`.
 */
export function listBehind(
  owner: Id,
  head: PeerRef,
  tail: readonly PeerRef[],
  length: number,
): readonly PeerRef[] {
  const list = [head];
  let before = head.id;
  for (const peer of tail) {
    if (list.length >= length || !between(before, peer.id, owner)) break;
    list.push(peer);
    before = peer.id;
  }
  return list;
}

/**
 * The list when a peer behind the first one says what comes after itself: as it was up to that peer, then it, and then what
 * it says. It skips nobody whom the list before did not skip.
 */
export function listThrough(
  owner: Id,
  list: readonly PeerRef[],
  peer: PeerRef,
  tail: readonly PeerRef[],
  length: number,
): readonly PeerRef[] {
  const [head = peer, ...rest] = list.filter(({ id }) => between(owner, id, peer.id));
  return listBehind(owner, head, head === peer ? tail : [...rest, peer, ...tail], length);
}

/** Whether two lists say the same. */
export function isSameList(a: readonly PeerRef[], b: readonly PeerRef[]): boolean {
  return a.length === b.length && a.every((peer, at) => isSameReference(peer, b[at] ?? null));
}

/** What of a list, read after `from`, stays in order and on this side of `to`. */
export function stretchUpTo(to: Id, from: Id, peers: readonly PeerRef[]): readonly PeerRef[] {
  let before = from;
  const end = peers.findIndex(({ id }) => {
    const isFurther = id !== to && id !== before && (before === to || between(before, id, to));
    before = id;
    return !isFurther;
  });
  return end < 0 ? peers : peers.slice(0, end);
}
