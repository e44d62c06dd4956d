/** What the index holds of a block, as bytes. Entries of earlier versions are read, and written as what they are now. */
import { type Codec, integer, list, mapped, nullable, tuple } from '../base/codec.js';
import { limits } from '../base/limits.js';
import { type Id, idCodec } from '../ring/identifier.js';
import type { BlockEntry } from './block-entry.js';
import type { Ownership } from './ownership.js';

const entryVersion = 2;
const timeMs = integer(0, Number.MAX_SAFE_INTEGER);
const sizeBytesCodec = integer(0, limits.blockBytes);

type PackedOwnership = readonly [owner: Id, touchedAtMs: number, releasedAtMs: number];

const ownershipCodec: Codec<Ownership> = mapped(
  tuple<PackedOwnership>(idCodec, timeMs, timeMs),
  ([owner, touchedAtMs, releasedAtMs]) => ({ owner, touchedAtMs, releasedAtMs }),
  ({ owner, touchedAtMs, releasedAtMs }): PackedOwnership => [owner, touchedAtMs, releasedAtMs],
);

type PackedEntry = readonly [number, number, number, number | null, number | null, readonly Ownership[]];

/** Version, size, stored, trashed, removed, ownerships. */
const currentCodec: Codec<BlockEntry> = mapped(
  tuple<PackedEntry>(
    integer(entryVersion, entryVersion),
    sizeBytesCodec,
    timeMs,
    nullable(timeMs),
    nullable(timeMs),
    list(ownershipCodec, limits.ownersPerBlock),
  ),
  ([, sizeBytes, storedAtMs, trashedAtMs, removedAtMs, ownerships]) => ({
    sizeBytes,
    storedAtMs,
    trashedAtMs,
    removedAtMs,
    ownerships,
  }),
  (entry): PackedEntry => [
    entryVersion,
    entry.sizeBytes,
    entry.storedAtMs,
    entry.trashedAtMs,
    entry.removedAtMs,
    entry.ownerships,
  ],
);

/** Version, size, stored, touched by any owner, trashed, owners. */
const firstCodec = tuple<readonly [number, number, number, number, number | null, readonly Id[]]>(
  integer(1, 1),
  sizeBytesCodec,
  timeMs,
  timeMs,
  nullable(timeMs),
  list(idCodec, limits.ownersPerBlock),
);

/** A block's entry. */
export const entryCodec: Codec<BlockEntry> = {
  encode: (entry) => currentCodec.encode(entry),
  decode: (raw, path) =>
    Array.isArray(raw) && raw[0] === 1 ? decodeFirst(raw, path) : currentCodec.decode(raw, path),
};

function decodeFirst(raw: unknown, path: string): BlockEntry {
  const [, sizeBytes, storedAtMs, touchedAtMs, trashedAtMs, owners] = firstCodec.decode(raw, path);
  const ownerships = [...owners].sort().map((owner) => ({ owner, touchedAtMs, releasedAtMs: 0 }));
  return { sizeBytes, ownerships, storedAtMs, trashedAtMs, removedAtMs: null };
}
