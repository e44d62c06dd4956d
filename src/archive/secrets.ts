/** The secrets of an archive: everything comes from one of 32 bytes, which all devices of a user share. */
import { hkdfSync } from 'node:crypto';

import { PeerStoreError } from '../base/errors.js';

/** Bytes of the archive secret. */
export const archiveSecretBytes = 32;

/** What the archive secret gives. */
export interface ArchiveSecrets {
  /** Keys the HMAC that turns a chunk's hash into its key. */
  readonly chunkKeys: Uint8Array;
  /** The 256 values of the gear hash, as signed 32-bit numbers. */
  readonly gear: Int32Array;
  /** Keys the padding of packs. */
  readonly padding: Uint8Array;
  /** Seals the heads of the devices' catalogs. */
  readonly heads: Uint8Array;
}

const labels = 'peerstore/archive/1/';

/**
 * Derives the secrets with HKDF-SHA256 (RFC 5869), without salt: the archive secret is uniformly random.
 * @throws PeerStoreError USAGE when the secret does not have 32 bytes.
 */
export function deriveArchiveSecrets(archiveSecret: Uint8Array): ArchiveSecrets {
  if (archiveSecret.length !== archiveSecretBytes) {
    throw new PeerStoreError(
      'USAGE',
      `an archive secret has ${archiveSecretBytes} bytes, not ${archiveSecret.length}`,
    );
  }
  const derive = (label: string, lengthBytes: number): Buffer =>
    Buffer.from(hkdfSync('sha256', archiveSecret, Buffer.alloc(0), labels + label, lengthBytes));
  const table = derive('gear-table', 256 * 4);
  const gear = new Int32Array(256);
  for (let at = 0; at < 256; at += 1) gear[at] = table.readInt32BE(4 * at);
  return {
    chunkKeys: derive('chunk-keys', 32),
    gear,
    padding: derive('padding', 32),
    heads: derive('heads', 32),
  };
}
