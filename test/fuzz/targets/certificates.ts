/** Certificates, as a stranger shows them, and what an authority writes into them. */
import { concatBytes } from '../../../src/base/bytes.js';
import { seededRandom } from '../../../src/base/random.js';
import { RingAuthority } from '../../../src/identity/authority.js';
import { identify, readAuthority } from '../../../src/identity/certificate.js';
import { extensionValues } from '../../../src/identity/extension.js';
import { decodeRole, encodeRole, roleExtensionOid } from '../../../src/identity/role.js';
import { keyNumber, startMs, testClock } from '../../identity/tools.js';
import { type Target, unlessRefused } from '../target.js';

const authority = await RingAuthority.create(keyNumber(1), { clock: testClock(), random: seededRandom(2) });
const nonces = [new Uint8Array(32).fill(3)];
const [peerKey, userKey] = [keyNumber(4).publicKey, keyNumber(5).publicKey];

/**
 * What of a certificate is read before its signature is checked is read as it is; what is read after that, as if the
 * signature were good.
 */
const readers: readonly ((bytes: Uint8Array) => unknown)[] = [
  (bytes) => identify(bytes, authority.certificate, startMs),
  (bytes) => readAuthority(bytes, 'the authority'),
  (bytes) => extensionValues(bytes, roleExtensionOid),
  (bytes) => {
    const role = decodeRole(bytes);
    return decodeRole(encodeRole(role));
  },
];

/** The first byte says how the rest is read. */
export const certificates: Target = {
  what: 'certificates, and the roles in them',
  seeds: async () => {
    const leaves = [
      await authority.issuePeer(peerKey, nonces),
      await authority.issueUser(peerKey, userKey, 'ada'),
    ];
    const roles = [encodeRole({ role: 'peer', nonces }), encodeRole({ role: 'user', name: 'ada', userKey })];
    const behind = (first: number, all: readonly Uint8Array[]): readonly Uint8Array[] =>
      all.map((bytes) => concatBytes(Uint8Array.of(first), bytes));
    return [
      ...behind(0, leaves),
      ...behind(1, [authority.certificate.der]),
      ...behind(2, leaves),
      ...behind(3, roles),
    ];
  },
  read: (input) => {
    const read = readers[(input[0] ?? 0) % readers.length];
    unlessRefused(['NOT_ADMITTED', 'PROTOCOL'], () => read?.(input.subarray(1)));
  },
};
