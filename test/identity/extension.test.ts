import { expect } from 'chai';
import fc from 'fast-check';

import { hasCode } from '../../src/base/errors.js';
import { newNonce } from '../../src/identity/authority.js';
import { extensionValues } from '../../src/identity/extension.js';
import { encodeRole, roleExtensionOid } from '../../src/identity/role.js';
import { keyNumber, testRing } from './tools.js';

describe('identity/extension', () => {
  it('finds the value of an extension, however long, critical or not', async () => {
    const { authority, random } = await testRing();
    for (const places of [1, 3, 64]) {
      const nonces = Array.from({ length: places }, () => newNonce(random));
      const certificate = await authority.issuePeer(keyNumber(2).publicKey, nonces);
      const [value, ...more] = extensionValues(certificate, roleExtensionOid);
      expect(more).to.deep.equal([]);
      expect(Buffer.from(value ?? [])).to.deep.equal(Buffer.from(encodeRole({ role: 'peer', nonces })));
      // keyUsage, critical: digitalSignature only (RFC 5280, 4.2.1.3).
      const [usage] = extensionValues(certificate, '2.5.29.15');
      expect(Buffer.from(usage ?? []).toString('hex')).to.equal('03020780');
    }
  });

  it('finds nothing where there is no such extension', async () => {
    const { authority } = await testRing();
    expect(extensionValues(authority.certificate.der, roleExtensionOid)).to.deep.equal([]);
    expect(extensionValues(authority.certificate.der, '2.25.1886745714')).to.deep.equal([]);
  });

  it('refuses every certificate that is cut short, and any other bytes', async () => {
    const { authority } = await testRing();
    const { der } = authority.certificate;
    for (let length = 0; length < der.length; length += 1) {
      expect(isRefused(der.subarray(0, length))).to.equal(true);
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        expect(isRefused(bytes)).to.equal(true);
      }),
    );
  });
});

/** Whether it is refused as it should be; any other error comes through. */
function isRefused(bytes: Uint8Array): boolean {
  try {
    extensionValues(bytes, roleExtensionOid);
    return false;
  } catch (error) {
    if (hasCode(error, 'NOT_ADMITTED')) return true;
    throw error;
  }
}
