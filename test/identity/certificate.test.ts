import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type PeerCertificate, type TLSSocket } from 'node:tls';

import { expect } from 'chai';
import fc from 'fast-check';

import { concatBytes, sha256, toHex, utf8 } from '../../src/base/bytes.js';
import { hasCode } from '../../src/base/errors.js';
import { limits } from '../../src/base/limits.js';
import { newNonce, RingAuthority } from '../../src/identity/authority.js';
import {
  certificateToPem,
  identify,
  readAuthority,
  readCertificate,
} from '../../src/identity/certificate.js';
import { publicKeyToSpki, type SigningKey } from '../../src/identity/keys.js';
import { decodeRole, encodeRole } from '../../src/identity/role.js';
import { dayMs, failure, flipped, keyNumber, startMs, testRing } from './tools.js';

describe('identity/certificate', () => {
  it('gives a peer one place for each nonce, and one machine', async () => {
    const { authority, random } = await testRing();
    const { publicKey } = keyNumber(2);
    const nonces = [newNonce(random), newNonce(random), newNonce(random)];
    const identity = identify(await authority.issuePeer(publicKey, nonces), authority.certificate, startMs);
    expect(identity).to.deep.equal({
      kind: 'peer',
      ids: nonces.map((nonce) => toHex(sha256(publicKey, nonce))),
      machine: toHex(sha256(publicKey)),
    });
  });

  it("says a device's user, name and keys", async () => {
    const { authority } = await testRing();
    const device = keyNumber(3);
    const user = keyNumber(4);
    const der = await authority.issueUser(device.publicKey, user.publicKey, 'zoë');
    const identity = identify(der, authority.certificate, startMs);
    if (identity.kind !== 'user') throw new Error('not a user');
    expect(identity.userId).to.equal(toHex(sha256(user.publicKey)));
    expect(identity.name).to.equal('zoë');
    expect(toHex(identity.userKey)).to.equal(toHex(user.publicKey));
    expect(toHex(identity.deviceKey)).to.equal(toHex(device.publicKey));
  });

  it('keeps its bound with as many nonces as there may be', async () => {
    const { authority, random } = await testRing();
    const nonces = Array.from({ length: limits.certificateNonces }, () => newNonce(random));
    const der = await authority.issuePeer(keyNumber(2).publicKey, nonces);
    expect(der.length).to.be.at.most(limits.certificateBytes);
    const identity = identify(der, authority.certificate, startMs);
    expect(identity.kind === 'peer' && identity.ids.length).to.equal(limits.certificateNonces);
  });

  it('is good from a day before it was made until a year after', async () => {
    const { authority, random } = await testRing();
    const der = await authority.issuePeer(keyNumber(2).publicKey, [newNonce(random)]);
    const end = startMs + 365 * dayMs;
    expect(identify(der, authority.certificate, startMs - dayMs).kind).to.equal('peer');
    expect(identify(der, authority.certificate, end).kind).to.equal('peer');
    const early = await failure('NOT_ADMITTED', () =>
      identify(der, authority.certificate, startMs - dayMs - 1),
    );
    expect(early.message).to.include('2030-01-14T12:00:00.000Z').and.to.include('clock');
    const late = await failure('NOT_ADMITTED', () => identify(der, authority.certificate, end + 1));
    expect(late.message).to.include('expired at 2031-01-15T12:00:00.000Z');
  });

  it('refuses what another authority signed, and what its holder signed', async () => {
    const { authority, clock, random } = await testRing();
    const other = await testRing(2);
    const der = await other.authority.issuePeer(keyNumber(2).publicKey, [newNonce(random)]);
    await failure('NOT_ADMITTED', () => identify(der, authority.certificate, startMs));
    const self = await RingAuthority.create(keyNumber(2), { clock, random });
    await failure('NOT_ADMITTED', () => identify(self.certificate.der, authority.certificate, startMs));
  });

  it("refuses the authority's own certificate as somebody's identity", async () => {
    const { authority } = await testRing();
    await failure('NOT_ADMITTED', () => identify(authority.certificate.der, authority.certificate, startMs));
  });

  it('refuses a certificate with any bit turned over', async () => {
    const { authority, random } = await testRing();
    const der = await authority.issuePeer(keyNumber(2).publicKey, [newNonce(random)]);
    for (let bit = 0; bit < der.length * 8; bit += 1) {
      await failure('NOT_ADMITTED', () => identify(flipped(der, bit), authority.certificate, startMs));
    }
  });

  it('refuses any bytes that are no certificate', async () => {
    const { authority } = await testRing();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        try {
          readCertificate(bytes, authority.certificate);
          expect.fail('it was taken');
        } catch (error) {
          expect(hasCode(error, 'NOT_ADMITTED'), String(error)).to.equal(true);
        }
      }),
    );
    await failure('NOT_ADMITTED', () => readAuthority(new Uint8Array(100_000), 'it'));
  });

  it("names the ring by the SHA-256 of its authority's public key", async () => {
    const { authority } = await testRing();
    const { certificate } = authority;
    expect([...certificate.fingerprint]).to.deep.equal([...sha256(publicKeyToSpki(authority.key.publicKey))]);
    const fromPem = readAuthority(utf8(certificateToPem(certificate.der)), 'authority.pem');
    expect([...fromPem.der]).to.deep.equal([...certificate.der]);
  });

  it('has a positive serial number that is never the same', async () => {
    const { authority, random } = await testRing();
    const serials = new Set<string>();
    for (let round = 0; round < 20; round += 1) {
      const der = await authority.issuePeer(keyNumber(2).publicKey, [newNonce(random)]);
      serials.add(new X509Certificate(der).serialNumber);
    }
    expect(serials.size).to.equal(20);
    for (const serial of serials) expect(serial).to.match(/^[4-7][0-9A-F]{31}$/);
  });

  it('refuses a key that does not belong to the authority', async () => {
    const { authority, clock, random } = await testRing();
    await failure('NOT_ADMITTED', () =>
      RingAuthority.load(keyNumber(9), authority.certificate, { clock, random }),
    );
  });

  it('is taken by TLS 1.3 on both ends', async () => {
    const { authority, random } = await testRing();
    // TLS looks at the real clock; the ring's certificates begin in 2030 here.
    const now = { ...(await testRing()).clock, nowMs: () => Date.now() };
    const ring = await RingAuthority.create(authority.key, { clock: now, random });
    const peer = keyNumber(2);
    const device = keyNumber(3);
    const peerDer = await ring.issuePeer(peer.publicKey, [newNonce(random)]);
    const userDer = await ring.issueUser(device.publicKey, keyNumber(4).publicKey, 'alice');
    const ca = certificateToPem(ring.certificate.der);
    const options = (key: SigningKey, der: Uint8Array): object => ({
      key: key.toPem(),
      cert: certificateToPem(der) + ca,
      ca,
      minVersion: 'TLSv1.3',
      rejectUnauthorized: true,
    });
    const server = createServer({ ...options(peer, peerDer), requestCert: true }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const accepted = once(server, 'secureConnection') as Promise<[TLSSocket]>;
    const client = connect({
      ...options(device, userDer),
      host: '127.0.0.1',
      port: (server.address() as AddressInfo).port,
      checkServerIdentity: () => undefined,
    });
    try {
      await once(client, 'secureConnect');
      const [serverSide] = await accepted;
      const seenByClient = client.getPeerCertificate(true);
      expect([...seenByClient.raw]).to.deep.equal([...peerDer]);
      const issuer = seenByClient.issuerCertificate as PeerCertificate;
      expect([...issuer.raw]).to.deep.equal([...ring.certificate.der]);
      const caller = identify(serverSide.getPeerCertificate().raw, ring.certificate, Date.now());
      expect(caller.kind === 'user' && caller.name).to.equal('alice');
      serverSide.destroy();
    } finally {
      client.destroy();
      server.close();
    }
  });
});

describe('identity/role', () => {
  const userKey = keyNumber(1).publicKey;

  it('is written with the shortest length, at every step of the length', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: limits.certificateNonces }), (count) => {
        const role = {
          role: 'peer' as const,
          nonces: Array.from({ length: count }, () => new Uint8Array(32)),
        };
        const back = decodeRole(encodeRole(role));
        expect(back.role === 'peer' && back.nonces.length).to.equal(count);
      }),
    );
  });

  it('refuses a longer spelling of its length, bytes behind it and bytes that lack', async () => {
    const der = encodeRole({ role: 'user', name: 'a', userKey });
    expect(der[1]).to.be.below(0x80);
    await failure('PROTOCOL', () => decodeRole(concatBytes(Uint8Array.of(0x04, 0x81), der.subarray(1))));
    await failure('PROTOCOL', () => decodeRole(concatBytes(der, Uint8Array.of(0))));
    await failure('PROTOCOL', () => decodeRole(der.subarray(0, -1)));
    await failure('PROTOCOL', () => decodeRole(new Uint8Array()));
  });

  it('says of a later version that the program is too old', async () => {
    const der = encodeRole({ role: 'user', name: 'a', userKey });
    const at = Buffer.from(der).indexOf('version') + 'version'.length;
    const later = Uint8Array.from(der);
    later[at] = 2;
    const error = await failure('NOT_ADMITTED', () => decodeRole(later));
    expect(error.message).to.include('version 2');
  });

  it('refuses a peer without nonces and a user without a name', async () => {
    await failure('PROTOCOL', () => decodeRole(encodeRole({ role: 'peer', nonces: [] })));
    await failure('PROTOCOL', () => decodeRole(encodeRole({ role: 'user', name: '', userKey })));
  });
});
