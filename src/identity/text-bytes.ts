/** Bytes in text files and lines: base64url without padding (RFC 4648, section 5), read strictly. */
import { asBuffer } from '../base/bytes.js';
import { binary, type Codec } from '../base/codec.js';
import { PeerStoreError } from '../base/errors.js';

/** The base64url of the bytes. */
export function toBase64Url(bytes: Uint8Array): string {
  return asBuffer(bytes).toString('base64url');
}

/** The bytes of a base64url text, or undefined when it is none or not the one spelling of its bytes. */
export function fromBase64Url(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes : undefined;
}

/** Bytes of a length from `min` to `max`, as a base64url text in JSON. */
export function base64Url(min: number, max: number = min): Codec<Uint8Array> {
  const bytes = binary(min, max);
  return {
    encode: toBase64Url,
    decode: (raw, path) => {
      const decoded = typeof raw === 'string' && raw.length <= 2 * max ? fromBase64Url(raw) : undefined;
      if (decoded === undefined) throw new PeerStoreError('PROTOCOL', `${path} is not base64url`);
      return bytes.decode(decoded, path);
    },
  };
}
