/**
 * How references to peers travel.
 *
 * Most of what peers tell each other is who stands where, and it is the same few peers over and over. So the reference that
 * came or went last is kept for each slot of a small table, in both forms, and used again: a list that says nothing new
 * costs no new strings, and whoever keeps references of a peer from a hundred answers keeps one. What stands in the table
 * can make nothing wrong, since it is used only where all of it is the same; so it needs no owner, and one serves the process.
 */
import { type Codec, optional, printable, struct } from '../base/codec.js';
import { limits } from '../base/limits.js';
import { idBytes, idCodec } from './identifier.js';
import { isSameReference, type PeerRef } from './peer.js';

/** A reference as msgpack holds it. */
interface RawPeer {
  readonly id: Uint8Array;
  readonly machine: Uint8Array;
  readonly address: string;
  readonly zone?: string | null;
}

/** One reference in both forms. */
interface Known {
  readonly peer: PeerRef;
  readonly raw: RawPeer;
}

/** A peer's slot is given by the first 16 bits of its id, as many of them as there are slots for. */
const slots = new Array<Known | undefined>(limits.keptReferences);

const plain: Codec<PeerRef> = struct({
  id: idCodec,
  machine: idCodec,
  address: printable(limits.addressBytes),
  zone: optional(printable(limits.zoneBytes)),
});

/** A reference to a peer. Decoding one that came before gives the same object again: it is never to be changed. */
export const peerCodec: Codec<PeerRef> = {
  encode: (peer) => {
    const { id } = peer;
    const slot = slotAt((digit(id, 0) << 12) | (digit(id, 1) << 8) | (digit(id, 2) << 4) | digit(id, 3));
    const known = slots[slot];
    return known !== undefined && (known.peer === peer || isSameReference(known.peer, peer))
      ? known.raw
      : keep(slot, peer).raw;
  },
  decode: (raw, path) => {
    const slot = slotOf(raw);
    const known = slot === undefined ? undefined : slots[slot];
    if (known !== undefined && isSameRaw(known.raw, raw as RawPeer)) return known.peer;
    const peer = plain.decode(raw, path);
    return slot === undefined ? peer : keep(slot, detached(peer)).peer;
  },
};

function keep(slot: number, peer: PeerRef): Known {
  const { id, machine, ...texts } = plain.encode(peer) as RawPeer;
  // In memory of their own: small buffers of Node share large pieces of it, which each of them would keep.
  const known = { peer, raw: { id: new Uint8Array(id), machine: new Uint8Array(machine), ...texts } };
  slots[slot] = known;
  return known;
}

function slotAt(firstBits: number): number {
  return firstBits % limits.keptReferences;
}

/** The slot of what may be a reference; undefined when it has no identifier. */
function slotOf(raw: unknown): number | undefined {
  if (typeof raw !== 'object' || raw === null) return undefined;
  const { id } = raw as Partial<RawPeer>;
  if (!(id instanceof Uint8Array) || id.length !== idBytes) return undefined;
  return slotAt(((id[0] ?? 0) << 8) | (id[1] ?? 0));
}

function digit(id: string, at: number): number {
  const code = id.charCodeAt(at);
  return code < 0x61 ? code - 0x30 : code - 0x61 + 10;
}

function isSameRaw(known: RawPeer, raw: Partial<RawPeer>): boolean {
  return (
    isSameBytes(known.id, raw.id) &&
    isSameBytes(known.machine, raw.machine) &&
    known.address === raw.address &&
    (known.zone ?? undefined) === (raw.zone ?? undefined)
  );
}

/** For a few bytes, sooner done than a call of Buffer.compare. */
function isSameBytes(a: Uint8Array, b: unknown): boolean {
  if (!(b instanceof Uint8Array) || b.length !== a.length) return false;
  for (let at = 0; at < a.length; at += 1) if (a[at] !== b[at]) return false;
  return true;
}

/** The same with texts of its own: those that msgpack reads share the memory of all texts of their message. */
function detached(peer: PeerRef): PeerRef {
  const own = (text: string): string => Buffer.from(text).toString();
  return {
    ...peer,
    address: own(peer.address),
    ...(peer.zone === undefined ? {} : { zone: own(peer.zone) }),
  };
}
