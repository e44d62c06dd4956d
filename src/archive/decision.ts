/**
 * What was decided about snapshots (docs/format.md, "Snapshots"). No device writes another one's record, so a snapshot of
 * any device is forgotten, and brought back, by a note in one's own list: of all devices' notes the latest counts.
 */
import { boolean, integer, packValue, struct } from '../base/codec.js';
import { asBuffer } from '../base/bytes.js';
import { type Id, idCodec, idToBytes } from '../ring/identifier.js';
import { unpackSealed } from './parse.js';

export interface Decision {
  /** A snapshot of the user, of any device. */
  readonly snapshot: Id;
  /** When it was decided, milliseconds since 1970. */
  readonly atMs: number;
  /** Readers leave it out; false when it was brought back. */
  readonly isForgotten: boolean;
}

const decisionCodec = struct({
  snapshot: idCodec,
  atMs: integer(0, Number.MAX_SAFE_INTEGER),
  isForgotten: boolean,
});

/** A decision's packed form: a record of the list. */
export function encodeDecision(decision: Decision): Uint8Array {
  return packValue(decisionCodec, decision);
}

/** @throws PeerStoreError DAMAGED when the bytes are not a decision. */
export function decodeDecision(bytes: Uint8Array): Decision {
  return unpackSealed(decisionCodec, bytes, 'decision about a snapshot');
}

/** The cut value of a decision in the list. */
export function cutOfDecision({ snapshot }: Decision): number {
  return asBuffer(idToBytes(snapshot)).readUInt32BE(0);
}

/**
 * Whether one decision counts more than another about the same snapshot. Of two of the same moment, the one that keeps
 * the snapshot.
 */
export function isLater(one: Decision, other: Decision): boolean {
  return one.atMs > other.atMs || (one.atMs === other.atMs && !one.isForgotten && other.isForgotten);
}
