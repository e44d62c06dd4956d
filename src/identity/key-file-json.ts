/** The JSON of a key file: what its fields are. What they mean is in key-file.ts. */
import { type Codec, integer, list, oneOf, optional, struct, text, type ValueOf } from '../base/codec.js';
import { limits } from '../base/limits.js';
import { derivationCodec } from './passphrase.js';
import { base64Url } from './text-bytes.js';
import { userNameCodec } from './user-name.js';

/** By this a key file is told from any other JSON. */
export const keyFileMark = 'user key file';
export const keyFileVersion = 1;

/** More than the two secrets and what sealing adds. */
const secretsBytes = 256;

/** All numbers in it fit 32 bits, so that what it encodes to is JSON as it stands. */
export const keyFileCodec = struct({
  peerstore: oneOf(keyFileMark),
  version: integer(keyFileVersion, keyFileVersion),
  name: userNameCodec,
  addresses: list(text(limits.addressBytes), limits.inviteAddresses),
  certificate: optional(base64Url(1, limits.certificateBytes)),
  authority: optional(base64Url(1, limits.certificateBytes)),
  protection: optional(derivationCodec),
  secrets: base64Url(1, secretsBytes),
  checksum: base64Url(8),
}) satisfies Codec<unknown>;

export type KeyFileJson = ValueOf<typeof keyFileCodec>;
