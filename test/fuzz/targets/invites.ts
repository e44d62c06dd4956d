/** Invites: the line as people paste it, and what is behind its checksum. */
import { concatBytes, sha256, utf8 } from '../../../src/base/bytes.js';
import { decodeInvite, encodeInvite, type Invite } from '../../../src/identity/invite.js';
import { toBase64Url } from '../../../src/identity/text-bytes.js';
import { type Target, unlessRefused } from '../target.js';

const parts = {
  addresses: ['attic:3001', '[::1]:3001'],
  fingerprint: new Uint8Array(32).fill(1),
  secret: new Uint8Array(32).fill(2),
  expiresAtMs: 1_800_000_000_000,
};
const goodInvites: readonly Invite[] = [
  { ...parts, kind: 'peer' },
  { ...parts, kind: 'user', name: 'ada' },
];

const prefix = 'peerstore1.';

/** The line around a payload, with the checksum that belongs to it: nobody mistypes on purpose. */
function lineAround(payload: Uint8Array): string {
  const checksum = sha256(concatBytes(utf8(prefix), payload)).subarray(0, 4);
  const length = Uint8Array.of(payload.length >> 8, payload.length & 0xff);
  return prefix + toBase64Url(concatBytes(length, payload, checksum));
}

function payloadIn(line: string): Uint8Array {
  return Buffer.from(line.slice(prefix.length), 'base64url').subarray(2, -4);
}

/** The first byte says whether a line follows, or what is in one. */
export const invites: Target = {
  what: 'invites',
  seeds: () =>
    goodInvites.map(encodeInvite).flatMap((line) => {
      const payload = payloadIn(line);
      // Otherwise nothing behind the checksum would be read.
      if (lineAround(payload) !== line) throw new Error('the checksum of an invite is made otherwise now');
      return [concatBytes(Uint8Array.of(0), utf8(line)), concatBytes(Uint8Array.of(1), payload)];
    }),
  read: (input) => {
    const rest = input.subarray(1);
    const line = input[0] === 1 ? lineAround(rest) : Buffer.from(rest).toString('latin1');
    const invite = unlessRefused(['NOT_ADMITTED'], () => decodeInvite(line));
    if (invite !== undefined) encodeInvite(invite);
  },
};
