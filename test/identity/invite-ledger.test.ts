import { chmod, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { expect } from 'chai';

import { sha256, toHex } from '../../src/base/bytes.js';
import { limits } from '../../src/base/limits.js';
import { seededRandom } from '../../src/base/random.js';
import { InviteLedger } from '../../src/identity/invite-ledger.js';
import { toBase64Url } from '../../src/identity/text-bytes.js';
import { dayMs, failure, flipped, keyNumber, minuteMs, startMs, testClock, withDirectory } from './tools.js';

const soonMs = startMs + 60 * minuteMs;
const [one, two, three] = [keyNumber(1).publicKey, keyNumber(2).publicKey, keyNumber(3).publicKey];

interface Opened {
  readonly path: string;
  readonly ledger: InviteLedger;
  readonly clock: ReturnType<typeof testClock>;
  readonly reopen: () => Promise<InviteLedger>;
}

/** Runs with a new ledger in a directory of its own. */
function withLedger(run: (opened: Opened) => Promise<void>): () => Promise<void> {
  return () =>
    withDirectory(async (dir) => {
      const path = join(dir, 'invites.json');
      const clock = testClock();
      const random = seededRandom(7);
      const reopen = (): Promise<InviteLedger> => InviteLedger.open(path, { clock, random });
      await run({ path, clock, ledger: await reopen(), reopen });
    });
}

describe('identity/invite-ledger', () => {
  it(
    'gives a grant for an invite, to one key only',
    withLedger(async ({ ledger }) => {
      const secret = await ledger.create('peer', undefined, soonMs);
      const grant = await ledger.redeem({ kind: 'peer', secret, publicKey: one });
      expect(grant.kind === 'peer' && grant.nonce.length).to.equal(32);
      const error = await failure('NOT_ADMITTED', () =>
        ledger.redeem({ kind: 'peer', secret, publicKey: two }),
      );
      expect(error.message).to.include('already used');
    }),
  );

  it(
    'gives the same key the same place again, also after a restart',
    withLedger(async ({ ledger, reopen }) => {
      const secret = await ledger.create('peer', undefined, soonMs);
      const first = await ledger.redeem({ kind: 'peer', secret, publicKey: one });
      const again = await (await reopen()).redeem({ kind: 'peer', secret, publicKey: one });
      if (first.kind !== 'peer' || again.kind !== 'peer') throw new Error('not a peer');
      expect(toHex(again.nonce)).to.equal(toHex(first.nonce));
    }),
  );

  it(
    'lets one of many that show an invite at the same time have it',
    withLedger(async ({ ledger }) => {
      const secret = await ledger.create('peer', undefined, soonMs);
      const keys = Array.from({ length: 8 }, (_, at) => keyNumber(20 + at).publicKey);
      const results = await Promise.allSettled(
        keys.map((publicKey) => ledger.redeem({ kind: 'peer', secret, publicKey })),
      );
      expect(results.map(({ status }) => status)).to.deep.equal([
        'fulfilled',
        ...Array.from({ length: 7 }, () => 'rejected'),
      ]);
    }),
  );

  for (const [when, atMs, good] of [
    ['just before it expires', soonMs - 1, true],
    ['at the moment it expires', soonMs, false],
    ['after it expired', soonMs + 1, false],
  ] as const) {
    it(
      `${good ? 'takes' : 'refuses'} an invite ${when}`,
      withLedger(async ({ ledger, clock }) => {
        const fresh = await ledger.create('peer', undefined, soonMs);
        const used = await ledger.create('peer', undefined, soonMs);
        await ledger.redeem({ kind: 'peer', secret: used, publicKey: two });
        clock.timeMs = atMs;
        for (const claim of [
          { kind: 'peer', secret: fresh, publicKey: one },
          { kind: 'peer', secret: used, publicKey: two },
        ] as const) {
          if (good) await ledger.redeem(claim);
          else {
            const error = await failure('NOT_ADMITTED', () => ledger.redeem(claim));
            expect(error.message).to.include('expired at 2030-01-15T13:00:00.000Z');
          }
        }
      }),
    );
  }

  it(
    'refuses an unknown secret, and one for another kind',
    withLedger(async ({ ledger }) => {
      const secret = await ledger.create('peer', undefined, soonMs);
      const unknown = await failure('NOT_ADMITTED', () =>
        ledger.redeem({ kind: 'peer', secret: flipped(secret, 100), publicKey: one }),
      );
      expect(unknown.message).to.include('not known');
      const kind = await failure('NOT_ADMITTED', () =>
        ledger.redeem({ kind: 'user', secret, publicKey: one, userKey: two }),
      );
      expect(kind.message).to.include('for a peer');
      await ledger.redeem({ kind: 'peer', secret, publicKey: one });
    }),
  );

  it(
    "gives a user's name to one user key, with any number of devices",
    withLedger(async ({ ledger, reopen }) => {
      const [a, b, c] = [
        await ledger.create('user', 'alice', soonMs),
        await ledger.create('user', 'alice', soonMs),
        await ledger.create('user', 'alice', soonMs),
      ];
      const grant = await ledger.redeem({ kind: 'user', secret: a, publicKey: one, userKey: three });
      expect(grant.kind === 'user' && grant.name).to.equal('alice');
      await ledger.redeem({ kind: 'user', secret: b, publicKey: two, userKey: three });
      const again = await reopen();
      const error = await failure('CONFLICT', () =>
        again.redeem({ kind: 'user', secret: c, publicKey: one, userKey: two }),
      );
      expect(error.message).to.include('alice');
      expect(again.users().map(({ name }) => name)).to.deep.equal(['alice']);
      // The refusal did not use up the invite.
      await again.redeem({ kind: 'user', secret: c, publicKey: one, userKey: three });
    }),
  );

  it(
    'gives a user key one name',
    withLedger(async ({ ledger }) => {
      const [a, b] = [
        await ledger.create('user', 'alice', soonMs),
        await ledger.create('user', 'bob', soonMs),
      ];
      await ledger.redeem({ kind: 'user', secret: a, publicKey: one, userKey: three });
      const error = await failure('CONFLICT', () =>
        ledger.redeem({ kind: 'user', secret: b, publicKey: one, userKey: three }),
      );
      expect(error.message).to.include('called alice');
    }),
  );

  it(
    'refuses the same device with another user key',
    withLedger(async ({ ledger }) => {
      const secret = await ledger.create('user', 'alice', soonMs);
      await ledger.redeem({ kind: 'user', secret, publicKey: one, userKey: three });
      await failure('NOT_ADMITTED', () =>
        ledger.redeem({ kind: 'user', secret, publicKey: one, userKey: two }),
      );
    }),
  );

  for (const [what, expiresAtMs] of [
    ['in the past', startMs - 1],
    ['now', startMs],
    ['too far away', startMs + limits.inviteLifetimeMs + 1],
  ] as const) {
    it(
      `makes no invite that expires ${what}`,
      withLedger(async ({ ledger, path }) => {
        await failure('USAGE', () => ledger.create('peer', undefined, expiresAtMs));
        expect(await readFile(path).catch(() => 'none')).to.equal('none');
      }),
    );
  }

  for (const name of ['', ' alice', 'a b', 'a\nb', '-a', 'x'.repeat(65), 'ё'.repeat(33)]) {
    it(
      `makes no invite for the name ${JSON.stringify(name.slice(0, 8))} of ${Buffer.byteLength(name)} bytes`,
      withLedger(async ({ ledger }) => {
        await failure('USAGE', () => ledger.create('user', name, soonMs));
      }),
    );
  }

  it(
    'takes the two spellings of one name for the same',
    withLedger(async ({ ledger }) => {
      const secret = await ledger.create('user', 'zoe\u0308', soonMs);
      const grant = await ledger.redeem({ kind: 'user', secret, publicKey: one, userKey: two });
      expect(grant.kind === 'user' && grant.name).to.equal('zo\u00eb');
    }),
  );

  it(
    'keeps an expired invite for a week, then forgets it, and is bounded',
    withLedger(async ({ reopen, clock, path }) => {
      const full = Array.from({ length: limits.invitesKept - 1 }, (_, at) => ({
        secretHash: toBase64Url(sha256(Uint8Array.of(at >> 8, at))),
        kind: 'peer',
        expiresAtMs: soonMs,
      }));
      await writeFile(path, JSON.stringify({ version: 1, invites: full, users: [] }), { mode: 0o600 });
      const ledger = await reopen();
      await ledger.create('peer', undefined, soonMs);
      await failure('USAGE', () => ledger.create('peer', undefined, soonMs));
      clock.timeMs = soonMs + 7 * dayMs - 1;
      await failure('USAGE', () => ledger.create('peer', undefined, clock.timeMs + 1));
      clock.timeMs += 1;
      await ledger.create('peer', undefined, clock.timeMs + 1);
      const { invites } = JSON.parse(await readFile(path, 'utf8')) as { invites: unknown[] };
      expect(invites.length).to.equal(1);
    }),
  );

  it(
    'keeps no secret in its file, which only its owner may read',
    withLedger(async ({ ledger, path }) => {
      const secret = await ledger.create('peer', undefined, soonMs);
      const text = await readFile(path, 'utf8');
      for (const form of [toHex(secret), toBase64Url(secret), Buffer.from(secret).toString('base64')]) {
        expect(text).not.to.include(form);
      }
      expect((await stat(path)).mode & 0o777).to.equal(0o600);
    }),
  );

  it(
    'changes nothing when its file cannot be written',
    withLedger(async ({ ledger, path, reopen, clock }) => {
      const secret = await ledger.create('peer', undefined, soonMs);
      const broken = await InviteLedger.open(path, {
        clock,
        // Every temporary name of this ledger is the same one, and it is taken.
        random: { bytes: (length) => new Uint8Array(length), below: () => 0 },
      });
      await writeFile(`${path}.000000000000.tmp`, 'in the way');
      await failure('IO', () => broken.redeem({ kind: 'peer', secret, publicKey: one }));
      await failure('IO', () => broken.redeem({ kind: 'peer', secret, publicKey: two }));
      await (await reopen()).redeem({ kind: 'peer', secret, publicKey: two });
    }),
  );

  it(
    'leaves no temporary files behind',
    withLedger(async ({ ledger, path }) => {
      await ledger.create('peer', undefined, soonMs);
      expect(await readdir(join(path, '..'))).to.deep.equal(['invites.json']);
    }),
  );

  it(
    'refuses a file that is no ledger, and one that others may read',
    withLedger(async ({ ledger, path, reopen }) => {
      await ledger.create('user', 'alice', soonMs);
      const text = await readFile(path, 'utf8');
      for (const wrong of [
        '',
        '{}',
        'null',
        '[]',
        text.slice(0, -10),
        text.replace('"version": 1', '"version": 2'),
      ]) {
        await writeFile(path, wrong);
        const error = await failure('DAMAGED', reopen);
        expect(error.message).to.include(path);
      }
      await writeFile(path, text);
      await chmod(path, 0o644);
      const error = await failure('NOT_ADMITTED', reopen);
      expect(error.message).to.include(`chmod 600 ${path}`);
    }),
  );
});
