import { expect } from 'chai';
import fc from 'fast-check';

import { hasCode } from '../../src/base/errors.js';
import { limits } from '../../src/base/limits.js';
import { decodeInvite, encodeInvite, type Invite } from '../../src/identity/invite.js';
import { dayMs, failure, startMs } from './tools.js';

const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 });
const invites: fc.Arbitrary<Invite> = fc
  .record({
    name: fc.option(fc.stringMatching(/^[a-z][a-z0-9._@+-]{0,63}$/), { nil: undefined }),
    addresses: fc.array(fc.stringMatching(/^[a-z0-9.]{0,60}:[0-9]{1,5}$/), { minLength: 1, maxLength: 4 }),
    fingerprint: bytes32,
    secret: bytes32,
    expiresAtMs: fc.nat(Number.MAX_SAFE_INTEGER),
  })
  .map(({ name, ...rest }) =>
    name === undefined ? { kind: 'peer' as const, ...rest } : { kind: 'user' as const, name, ...rest },
  );

const sample: Invite = {
  kind: 'user',
  name: 'zoë',
  addresses: ['home.example:3001', '[fd00::1]:3001'],
  fingerprint: new Uint8Array(32).fill(7),
  secret: new Uint8Array(32).fill(9),
  expiresAtMs: startMs + dayMs,
};
const line = encodeInvite(sample);

function plain(invite: Invite): object {
  return { ...invite, fingerprint: [...invite.fingerprint], secret: [...invite.secret] };
}

describe('identity/invite', () => {
  it('is one line without white space, and gives back what it was made of', () => {
    fc.assert(
      fc.property(invites, (invite) => {
        const text = encodeInvite(invite);
        expect(text).to.match(/^peerstore1\.[\w-]+$/);
        expect(text.length).to.be.at.most(limits.inviteTextBytes);
        expect(plain(decodeInvite(text))).to.deep.equal(plain(invite));
      }),
    );
  });

  it('fits its bound with the longest of everything', () => {
    const longest: Invite = {
      ...sample,
      name: 'x'.repeat(limits.userNameBytes),
      addresses: Array.from({ length: limits.inviteAddresses }, () => 'a'.repeat(limits.addressBytes)),
      expiresAtMs: Number.MAX_SAFE_INTEGER,
    };
    const text = encodeInvite(longest);
    expect(text.length).to.be.at.most(limits.inviteTextBytes);
    expect(plain(decodeInvite(text))).to.deep.equal(plain(longest));
  });

  it('may have white space around it', () => {
    expect(plain(decodeInvite(` \t${line}\r\n`))).to.deep.equal(plain(sample));
  });

  it('is recognised as cut short wherever it ends', async () => {
    for (let length = 'peerstore1.'.length; length < line.length; length += 1) {
      const error = await failure('NOT_ADMITTED', () => decodeInvite(line.slice(0, length)));
      expect(error.message, `${length} characters`).to.include('cut short');
    }
  });

  it('is recognised as mistyped when any character is another', async () => {
    const start = 'peerstore1.'.length;
    for (let at = start; at < line.length; at += 1) {
      const wrong = line[at] === 'A' ? 'B' : 'A';
      const error = await failure('NOT_ADMITTED', () =>
        decodeInvite(line.slice(0, at) + wrong + line.slice(at + 1)),
      );
      // The first three characters hold the length: it may seem too short then.
      expect(error.message, `character ${at}`).to.match(at < start + 3 ? /mistyped|cut short/ : /mistyped/);
    }
  });

  it('is recognised as mistyped when two neighbours changed places, or something hangs behind it', async () => {
    const at = line.length - 20;
    expect(line[at]).not.to.equal(line[at + 1]);
    const swapped = line.slice(0, at) + line[at + 1]! + line[at]! + line.slice(at + 2);
    for (const wrong of [
      swapped,
      `${line}A`,
      `${line}AAAA`,
      `${line}==`,
      `${line.slice(0, 40)} ${line.slice(40)}`,
    ]) {
      const error = await failure('NOT_ADMITTED', () => decodeInvite(wrong));
      expect(error.message, wrong).to.include('mistyped');
    }
  });

  it('has one spelling: bits of its last character that say nothing are not to be set', async () => {
    const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    // Three lengths, so that the last character has 0, 2 and 4 such bits.
    for (const name of ['a', 'ab', 'abc']) {
      const text = encodeInvite({ ...sample, name });
      const last = digits[digits.indexOf(text.at(-1)!) ^ 1]!;
      const error = await failure('NOT_ADMITTED', () => decodeInvite(text.slice(0, -1) + last));
      expect(error.message).to.include('mistyped');
    }
  });

  it('is told from other things and from later versions', async () => {
    for (const other of ['', ' ', 'hello', 'peerstore', 'peerstore1', line.slice(1), `x${line}`]) {
      const error = await failure('NOT_ADMITTED', () => decodeInvite(other));
      expect(error.message).to.include('not an invite');
    }
    const later = await failure('NOT_ADMITTED', () => decodeInvite(line.replace('peerstore1', 'peerstore2')));
    expect(later.message).to.include('version 2');
    const long = await failure('NOT_ADMITTED', () => decodeInvite(`peerstore1.${'A'.repeat(1_000_000)}`));
    expect(long.message).to.include('too long');
  });

  it('never shows its secret in a message', async () => {
    const error = await failure('NOT_ADMITTED', () => decodeInvite(`${line}?`));
    expect(`${error.message} ${error.stack ?? ''}`).not.to.include(line.slice(20, 40));
  });

  it('refuses addresses that would move a cursor, even in an invite with the right checksum', () =>
    failure('NOT_ADMITTED', () => decodeInvite(encodeInvite({ ...sample, addresses: ['a\u001b[2J:1'] }))));

  it('answers any text with an invite or NOT_ADMITTED', () => {
    const texts = fc.oneof(
      fc.string(),
      fc.string().map((text) => `peerstore1.${text}`),
      fc.uint8Array({ maxLength: 200 }).map((raw) => `peerstore1.${Buffer.from(raw).toString('base64url')}`),
      fc.nat(line.length * 7 - 1).map((bit) => {
        const raw = Buffer.from(line);
        raw[Math.floor(bit / 7)]! ^= 1 << (bit % 7);
        return raw.toString();
      }),
    );
    fc.assert(
      fc.property(texts, (text) => {
        try {
          decodeInvite(text);
          expect.fail('it was taken');
        } catch (error) {
          expect(hasCode(error, 'NOT_ADMITTED'), String(error)).to.equal(true);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
