import { join } from 'node:path';

import { expect } from 'chai';
import fc from 'fast-check';

import { packValue, unpackValue } from '../../src/base/codec.js';
import { readCertificate } from '../../src/identity/certificate.js';
import { answerEnroll, checkGranted, enrollRequest } from '../../src/identity/enrollment.js';
import { InviteLedger } from '../../src/identity/invite-ledger.js';
import type { Invite, InviteKind } from '../../src/identity/invite.js';
import type { SigningKey } from '../../src/identity/keys.js';
import { methods } from '../../src/wire/catalogue.js';
import {
  failure,
  flipped,
  keyNumber,
  minuteMs,
  startMs,
  testRing,
  type TestRing,
  withDirectory,
} from './tools.js';

interface Office extends TestRing {
  readonly ledger: InviteLedger;
  invite(kind: InviteKind, name?: string): Promise<Invite>;
}

function withOffice(run: (office: Office) => Promise<void>): () => Promise<void> {
  return () =>
    withDirectory(async (dir) => {
      const ring = await testRing();
      const ledger = await InviteLedger.open(join(dir, 'invites.json'), ring);
      const expiresAtMs = startMs + minuteMs;
      await run({
        ...ring,
        ledger,
        invite: async (kind, name) => ({
          kind,
          ...(name === undefined ? {} : { name }),
          addresses: [':3001'],
          fingerprint: ring.authority.certificate.fingerprint,
          secret: await ledger.create(kind, name, expiresAtMs),
          expiresAtMs,
        }),
      });
    });
}

const device = keyNumber(11);
const user = keyNumber(12);
const userKeys = { key: device, userKey: user };

describe('identity/enrollment', () => {
  it(
    'gives a peer a certificate for its key, and the same place when it asks again',
    withOffice(async (office) => {
      const invite = await office.invite('peer');
      const request = enrollRequest(invite, { key: device });
      const trust = office.authority.certificate;
      const first = checkGranted(
        await answerEnroll(office, request),
        trust,
        invite,
        { key: device },
        startMs,
      );
      const again = checkGranted(
        await answerEnroll(office, request),
        trust,
        invite,
        { key: device },
        startMs,
      );
      expect(first.kind).to.equal('peer');
      expect(again).to.deep.equal(first);
    }),
  );

  it(
    "gives a user's device a certificate with the invited name",
    withOffice(async (office) => {
      const invite = await office.invite('user', 'alice');
      const certificate = await answerEnroll(office, enrollRequest(invite, userKeys));
      const identity = checkGranted(certificate, office.authority.certificate, invite, userKeys, startMs);
      expect(identity.kind === 'user' && identity.name).to.equal('alice');
    }),
  );

  it(
    'fits the catalogue in both directions',
    withOffice(async (office) => {
      const { request: codec } = methods.enroll;
      const request = enrollRequest(await office.invite('user', 'alice'), userKeys);
      const received = unpackValue(codec, packValue(codec, request), 'request');
      const certificate = await answerEnroll(office, received);
      packValue(methods.enroll.response, { certificate, authority: certificate, peers: [] });
    }),
  );

  it(
    'refuses a request of which any bit of a key, the secret or a signature was turned over, and keeps the invite',
    withOffice(async (office) => {
      const request = enrollRequest(await office.invite('user', 'alice'), userKeys);
      const fields = ['secret', 'publicKey', 'signature', 'userKey', 'userSignature'] as const;
      await fc.assert(
        fc.asyncProperty(fc.constantFrom(...fields), fc.nat(255), async (field, bit) => {
          const wrong = { ...request, [field]: flipped(request[field]!, bit) };
          await failure('NOT_ADMITTED', () => answerEnroll(office, wrong));
        }),
      );
      await answerEnroll(office, request);
    }),
  );

  it(
    'refuses a signature that was made for another ring or another kind',
    withOffice(async (office) => {
      const invite = await office.invite('peer');
      const otherRing = enrollRequest({ ...invite, fingerprint: new Uint8Array(32) }, { key: device });
      await failure('NOT_ADMITTED', () => answerEnroll(office, otherRing));
      const asUser = enrollRequest({ ...invite, kind: 'user', name: 'a' }, userKeys);
      await failure('NOT_ADMITTED', () =>
        answerEnroll(office, { ...asUser, kind: 'peer', userKey: undefined!, userSignature: undefined! }),
      );
      await failure('NOT_ADMITTED', () => answerEnroll(office, asUser));
    }),
  );

  it(
    'refuses a user without the proof of the user key, and a peer with one',
    withOffice(async (office) => {
      const { userSignature, ...without } = enrollRequest(await office.invite('user', 'alice'), userKeys);
      await failure('PROTOCOL', () => answerEnroll(office, without));
      const { userKey: _, ...keyless } = { ...without, userSignature: userSignature! };
      await failure('PROTOCOL', () => answerEnroll(office, keyless));
      const peer = enrollRequest(await office.invite('peer'), { key: device });
      await failure('PROTOCOL', () => answerEnroll(office, { ...peer, userKey: user.publicKey }));
    }),
  );

  it(
    'makes a newcomer refuse a certificate that the invite did not promise',
    withOffice(async (office) => {
      const { authority } = office;
      const trust = authority.certificate;
      const invite = await office.invite('user', 'alice');
      const other = await testRing(2);
      const good = await authority.issueUser(device.publicKey, user.publicKey, 'alice');
      const check = (
        certificate: Uint8Array,
        keys: { key: SigningKey; userKey?: SigningKey } = userKeys,
      ): unknown => checkGranted(certificate, trust, invite, keys, startMs);
      check(good);
      for (const wrong of [
        await authority.issueUser(user.publicKey, user.publicKey, 'alice'),
        await authority.issueUser(device.publicKey, device.publicKey, 'alice'),
        await authority.issueUser(device.publicKey, user.publicKey, 'alicia'),
        await authority.issuePeer(device.publicKey, [new Uint8Array(32)]),
        await other.authority.issueUser(device.publicKey, user.publicKey, 'alice'),
      ]) {
        await failure('NOT_ADMITTED', () => check(wrong));
      }
      await failure('NOT_ADMITTED', () =>
        checkGranted(good, other.authority.certificate, invite, userKeys, startMs),
      );
    }),
  );

  it(
    'shows nothing of the secret when it refuses',
    withOffice(async (office) => {
      const invite = await office.invite('peer');
      const request = enrollRequest(invite, { key: device });
      await answerEnroll(office, request);
      const error = await failure('NOT_ADMITTED', () =>
        answerEnroll(office, enrollRequest(invite, { key: user })),
      );
      const hex = Buffer.from(invite.secret).toString('hex');
      expect(error.message).not.to.include(hex.slice(0, 8));
      expect(
        readCertificate(await answerEnroll(office, request), office.authority.certificate).publicKey.length,
      ).to.equal(32);
    }),
  );
});
