/** `--peer-key-file`: the key that the peer at an address has to have. */
import { readFileSync } from 'node:fs';

import { messageOf, PeerStoreError } from '../base/errors.js';
import { publicKeyFromPem } from '../identity/keys.js';

/**
 * Reads a peer's `publickey.pem`.
 * @returns what the TLS transport pins, or undefined when no file was named.
 * @throws PeerStoreError USAGE when the file cannot be read, or there is no address to pin.
 */
export function pinnedKey(
  address: string | undefined,
  keyFile: string | undefined,
): ReadonlyMap<string, Uint8Array> | undefined {
  if (keyFile === undefined) return undefined;
  if (address === undefined) {
    throw new PeerStoreError('USAGE', 'a peer key file needs the address of the peer that it belongs to');
  }
  let pem: string;
  try {
    pem = readFileSync(keyFile, 'utf8');
  } catch (error) {
    throw new PeerStoreError('USAGE', `cannot read the peer's key file: ${messageOf(error)}`, {
      cause: error,
    });
  }
  return new Map([[address, publicKeyFromPem(pem, keyFile)]]);
}
