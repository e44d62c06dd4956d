import { chmod, cp, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { expect } from 'chai';

import { bytesEqual, toHex } from '../../src/base/bytes.js';
import { type Random, seededRandom } from '../../src/base/random.js';
import { newNonce } from '../../src/identity/authority.js';
import { publicKeyFromPem, SigningKey } from '../../src/identity/keys.js';
import {
  foundPeerHome,
  loadPeerHome,
  peerFiles,
  type PeerHome,
  preparePeerKey,
  savePeerCertificate,
} from '../../src/identity/peer-home.js';
import { dayMs, failure, keyNumber, testClock, testRing, withDirectory } from './tools.js';

const tools = { clock: testClock(), random: seededRandom(3) };

/** Chance that ends the world before the write number `writes`: each write takes six bytes for a temporary name. */
function crashAt(writes: number, random: Random): Random {
  let left = writes;
  return {
    below: (limit) => random.below(limit),
    bytes: (length) => {
      if (length === 6 && left-- === 0) throw new Error('crash');
      return random.bytes(length);
    },
  };
}

/** Runs until it has been through every crash; returns how many there were. */
async function throughCrashes(run: (random: Random) => Promise<unknown>): Promise<number> {
  for (let crashes = 0; ; crashes += 1) {
    expect(crashes).to.be.below(20);
    try {
      // At most one write gets through each time.
      await run(crashAt(1, seededRandom(crashes)));
      return crashes;
    } catch (error) {
      if (!String(error).includes('crash')) throw error;
    }
  }
}

async function joinRing(dir: string, random: Random, ring: PeerHome): Promise<PeerHome> {
  const key = await preparePeerKey(dir, random);
  const certificate = await ring.ringAuthority!.issuePeer(key.publicKey, [newNonce(tools.random)]);
  return savePeerCertificate(dir, certificate, ring.authority, { clock: tools.clock, random });
}

async function withFounded(run: (dir: string, home: PeerHome) => Promise<void>): Promise<void> {
  await withDirectory(async (dir) => {
    await run(dir, await foundPeerHome(dir, tools));
  });
}

describe('identity/peer-home', () => {
  it('is nothing in an empty directory', () =>
    withDirectory(async (dir) => {
      expect(await loadPeerHome(dir, tools)).to.equal(undefined);
    }));

  it('is the same after a restart, with the authority where the ring was founded', () =>
    withFounded(async (dir, home) => {
      const again = await loadPeerHome(dir, tools);
      expect(again?.identity).to.deep.equal(home.identity);
      expect(toHex(again!.key.seed)).to.equal(toHex(home.key.seed));
      expect(toHex(again!.ringAuthority!.key.seed)).to.equal(toHex(home.ringAuthority!.key.seed));
    }));

  it('keeps its secrets at mode 0600 and shows the rest', () =>
    withFounded(async (dir, home) => {
      const modes: Record<string, string> = {};
      for (const name of await readdir(dir)) {
        modes[name] = ((await stat(join(dir, name))).mode & 0o777).toString(8);
      }
      expect(modes).to.deep.equal({
        'authority-key.pem': '600',
        'authority.pem': '644',
        'certificate.pem': '644',
        'key.pem': '600',
        'publickey.pem': '644',
      });
      const pem = await readFile(join(dir, 'publickey.pem'), 'utf8');
      expect(bytesEqual(publicKeyFromPem(pem, 'it'), home.key.publicKey)).to.equal(true);
      for (const name of [peerFiles.key, peerFiles.authorityKey]) {
        await chmod(join(dir, name), 0o640);
        const error = await failure('NOT_ADMITTED', () => loadPeerHome(dir, tools));
        expect(error.message).to.include(`chmod 600 ${join(dir, name)}`);
        await chmod(join(dir, name), 0o600);
      }
    }));

  it('joins a ring without its authority key', () =>
    withFounded((dir, ring) =>
      withDirectory(async (other) => {
        const home = await joinRing(other, tools.random, ring);
        expect(home.ringAuthority).to.equal(undefined);
        expect(toHex(home.authority.fingerprint)).to.equal(toHex(ring.authority.fingerprint));
        expect(await readdir(other)).not.to.include(peerFiles.authorityKey);
        expect((await loadPeerHome(other, tools))?.identity).to.deep.equal(home.identity);
        expect(await readdir(dir)).to.include(peerFiles.authorityKey);
      }),
    ));

  it('comes into being however often the founding is interrupted, with the keys of the first attempt', () =>
    withDirectory(async (dir) => {
      const seen = new Map<string, string>();
      const crashes = await throughCrashes(async (random) => {
        try {
          await foundPeerHome(dir, { clock: tools.clock, random });
        } finally {
          for (const name of await readdir(dir)) {
            const text = await readFile(join(dir, name), 'utf8');
            expect(seen.get(name) ?? text).to.equal(text);
            seen.set(name, text);
          }
          if (!seen.has(peerFiles.certificate)) expect(await loadPeerHome(dir, tools)).to.equal(undefined);
        }
      });
      expect(crashes).to.equal(4);
      expect([...seen.keys()]).to.have.members(Object.values(peerFiles));
      expect(await loadPeerHome(dir, tools)).not.to.equal(undefined);
    }));

  it('comes into being however often the joining is interrupted, with the key of the first attempt', () =>
    withFounded((_, ring) =>
      withDirectory(async (dir) => {
        const keys = new Set<string>();
        // A crash before and one after each of the first three writes of what is still missing.
        for (const writes of [0, 1, 0, 1, 0, 1]) {
          await joinRing(dir, crashAt(writes, tools.random), ring).catch((error: unknown) => {
            expect(String(error)).to.include('crash');
          });
          expect(await loadPeerHome(dir, tools)).to.equal(undefined);
          const pem = await readFile(join(dir, peerFiles.key), 'utf8').catch(() => undefined);
          if (pem !== undefined) keys.add(toHex(SigningKey.fromPem(pem, 'it').seed));
        }
        const home = await joinRing(dir, tools.random, ring);
        keys.add(toHex(home.key.seed));
        expect(keys.size).to.equal(1);
      }),
    ));

  for (const name of [peerFiles.key, peerFiles.authority] as const) {
    it(`says that ${name} is missing`, () =>
      withFounded(async (dir) => {
        await rm(join(dir, name));
        const error = await failure('DAMAGED', () => loadPeerHome(dir, tools));
        expect(error.message).to.include(join(dir, name));
      }));
  }

  it('writes publickey.pem again when it is missing or wrong', () =>
    withFounded(async (dir) => {
      const path = join(dir, peerFiles.publicKey);
      const pem = await readFile(path, 'utf8');
      for (const wrong of [undefined, 'rubbish']) {
        if (wrong === undefined) await rm(path);
        else await writeFile(path, wrong);
        await loadPeerHome(dir, tools);
        expect(await readFile(path, 'utf8')).to.equal(pem);
      }
    }));

  for (const name of [
    peerFiles.key,
    peerFiles.authority,
    peerFiles.certificate,
    peerFiles.authorityKey,
  ] as const) {
    it(`refuses a damaged ${name} and names it, without what it holds`, () =>
      withFounded(async (dir) => {
        const path = join(dir, name);
        const pem = await readFile(path, 'utf8');
        for (const wrong of ['', pem.slice(0, 60), pem.replace(/[\w/+]{8}/, '!!!!!!!!')]) {
          await writeFile(path, wrong);
          const error = await failure('NOT_ADMITTED', () => loadPeerHome(dir, tools));
          expect(error.message).to.include(path);
          expect(error.message).not.to.include(pem.split('\n')[1]!.slice(8, 24));
        }
      }));
  }

  it('refuses files that do not belong together', () =>
    withFounded(async (dir, home) => {
      const other = (await testRing(9)).authority;
      const put = async (name: string, from: string): Promise<void> => {
        await withDirectory(async (second) => {
          await cp(dir, second, { recursive: true });
          await writeFile(join(second, name), from, { mode: 0o600 });
          const error = await failure(name === peerFiles.key ? 'DAMAGED' : 'NOT_ADMITTED', () =>
            loadPeerHome(second, tools),
          );
          expect(error.message).to.match(/belong|not signed/);
        });
      };
      await put(peerFiles.key, keyNumber(40).toPem());
      await put(peerFiles.authorityKey, keyNumber(40).toPem());
      const certificate = await other.issuePeer(home.key.publicKey, [newNonce(tools.random)]);
      await failure('NOT_ADMITTED', () => savePeerCertificate(dir, certificate, home.authority, tools));
      expect(await loadPeerHome(dir, tools), 'what was refused left no trace').not.to.equal(undefined);
    }));

  it("refuses a user's certificate", () =>
    withFounded(async (dir, home) => {
      const device = await home.ringAuthority!.issueUser(home.key.publicKey, keyNumber(1).publicKey, 'a');
      await failure('NOT_ADMITTED', () => savePeerCertificate(dir, device, home.authority, tools));
    }));

  it('says that its certificate has expired', () =>
    withFounded(async (dir) => {
      const later = testClock(tools.clock.timeMs + 366 * dayMs);
      const error = await failure('NOT_ADMITTED', () => loadPeerHome(dir, { ...tools, clock: later }));
      expect(error.message).to.include('expired');
    }));

  it('founds no second ring where a peer joined one, and joins none where one was founded', () =>
    withFounded(async (dir, ring) => {
      const joined = join(dir, 'joined');
      await mkdir(joined);
      await joinRing(joined, tools.random, ring);
      await rm(join(joined, peerFiles.certificate));
      const error = await failure('DAMAGED', () => foundPeerHome(joined, tools));
      expect(error.message).to.include('join again');
      await failure('USAGE', () => preparePeerKey(dir, tools.random));
    }));
});
