import { expect } from 'chai';
import fc from 'fast-check';

import { utf8 } from '../../src/base/bytes.js';
import { limits } from '../../src/base/limits.js';
import { seededRandom } from '../../src/base/random.js';
import { hashToId, type Id, turnsBetween } from '../../src/ring/identifier.js';
import { PeerCache } from '../../src/ring/peer-cache.js';
import type { PeerRef } from '../../src/ring/peer.js';
import { idAt, peerAt } from './fixtures.js';

const cacheOf = (capacity: number, self?: Id): PeerCache =>
  new PeerCache({ capacity, random: seededRandom(7), ...(self === undefined ? {} : { self }) });
const placesOf = (peers: readonly PeerRef[]): number[] => peers.map(({ id }) => parseInt(id, 16));
/** A peer at a hashed place, as real ones are. */
const hashed = (n: number): PeerRef => ({ ...peerAt(n), id: hashToId(utf8(`peer ${n}`)) });
const source = idAt(999);

describe('ring/peer-cache', () => {
  it('answers like a plain set of peers, as long as there is room', () => {
    const place = fc.integer({ min: 0, max: 30 });
    const command = fc.oneof(
      fc.record({ do: fc.constant('met' as const), place }),
      fc.record({ do: fc.constant('heard' as const), place }),
      fc.record({ do: fc.constant('remove' as const), place }),
      fc.record({ do: fc.constant('look' as const), place }),
    );
    fc.assert(
      fc.property(fc.array(command), (commands) => {
        const cache = cacheOf(16 * 40, idAt(0));
        const model = new Set<number>();
        const gone = new Set<number>();
        for (const { do: what, place: at } of commands) {
          if (what === 'met') {
            cache.met(peerAt(at));
            gone.delete(at);
            if (at !== 0) model.add(at);
          } else if (what === 'heard') {
            cache.heard([peerAt(at)], source);
            if (at !== 0 && !gone.has(at)) model.add(at);
          } else if (what === 'remove') {
            cache.remove(idAt(at));
            gone.add(at);
            model.delete(at);
          } else {
            const sorted = [...model].sort((a, b) => a - b);
            const behind = [...sorted.filter((n) => n > at), ...sorted.filter((n) => n <= at)];
            const before = [...sorted.filter((n) => n >= at), ...sorted.filter((n) => n < at)].reverse();
            expect(placesOf(cache.after(idAt(at), 5))).to.deep.equal(behind.slice(0, 5));
            expect(placesOf(cache.before(idAt(at), 5))).to.deep.equal(before.slice(0, 5));
          }
          expect(cache.size).to.equal(model.size);
        }
      }),
    );
  });

  it('never grows beyond its bound, whoever says what', () => {
    const who = fc.integer({ min: 0, max: 200 });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom('met', 'heard', 'followed'), who, who)),
        fc.integer({ min: 1, max: 20 }),
        (events, capacity) => {
          const cache = cacheOf(capacity, hashed(0).id);
          for (const [what, a, b] of events) {
            if (what === 'met') cache.met(hashed(a));
            else if (what === 'heard') cache.heard([hashed(a), hashed(b)], hashed(b).id);
            else cache.followed(hashed(a).id, [hashed(b)]);
            expect(cache.size).to.be.at.most(capacity);
            expect(cache.has(hashed(0).id)).to.equal(false);
          }
        },
      ),
    );
  });

  it('believes the peer itself, and nobody else, that it has moved', () => {
    const cache = cacheOf(100);
    const moved = { ...peerAt(1), address: '127.0.0.1:9' };
    cache.met(peerAt(1));
    cache.heard([moved], source);
    expect(cache.after(idAt(0), 1)).to.deep.equal([peerAt(1)]);
    cache.met(moved);
    expect(cache.after(idAt(0), 1)).to.deep.equal([moved]);
  });

  it('does not take a dead peer back on hearsay, until it is met', () => {
    const cache = cacheOf(100);
    cache.heard([peerAt(1)], source);
    cache.remove(idAt(1));
    cache.heard([peerAt(1)], source);
    expect(cache.size).to.equal(0);
    cache.met(peerAt(1));
    expect(cache.has(idAt(1))).to.equal(true);
  });

  it('forgets the dead of long ago', () => {
    const cache = cacheOf(100);
    cache.remove(idAt(1));
    for (let n = 2; n < 2 + limits.gonePeers; n += 1) cache.remove(idAt(n));
    cache.heard([peerAt(1)], source);
    expect(cache.has(idAt(1))).to.equal(true);
  });

  describe('against a peer that invents others', () => {
    const capacity = 320;
    const share = capacity / limits.peerSourcesMin;
    const invented = Array.from({ length: 5_000 }, (_, n) => hashed(10_000 + n));

    it('takes no more than its share from one source', () => {
      const cache = cacheOf(capacity);
      cache.heard(invented, source);
      expect(cache.size).to.equal(share);
    });

    it('keeps every peer that was met', () => {
      const cache = cacheOf(capacity, hashed(0).id);
      const met = Array.from({ length: capacity }, (_, n) => hashed(1 + n));
      for (const peer of met) cache.met(peer);
      for (const [n, peer] of invented.entries()) cache.heard([peer], idAt(n));
      expect(met.filter(({ id }) => !cache.has(id))).to.deep.equal([]);
    });

    it('has room again for a source when its entries have left or were met', () => {
      const cache = cacheOf(capacity);
      cache.heard(invented, source);
      for (const { id } of cache.after(idAt(0), 3)) cache.remove(id);
      cache.met(cache.after(idAt(0), 1)[0]!);
      const before = cache.size;
      cache.heard(invented, source);
      expect(cache.size).to.equal(before + 4);
    });

    it('gives room to peers that are met, whatever it has heard', () => {
      const cache = cacheOf(capacity, hashed(0).id);
      for (const [n, peer] of invented.entries()) cache.heard([peer], idAt(n));
      expect(cache.size).to.equal(capacity);
      const met = Array.from({ length: 40 }, (_, n) => hashed(1 + n));
      for (const peer of met) cache.met(peer);
      expect(met.filter(({ id }) => !cache.has(id))).to.deep.equal([]);
    });
  });

  it('drops, when somebody says for certain who follows it, whoever else is there; those it has met at the second time', () => {
    const cache = cacheOf(100, idAt(1));
    cache.heard([20, 30, 40, 50, 60].map(peerAt), source);
    cache.met(peerAt(25));
    cache.followed(idAt(20), [30, 35, 50].map(peerAt));
    expect(placesOf(cache.after(idAt(0), 100))).to.deep.equal([20, 25, 30, 35, 50, 60]);
    cache.followed(idAt(20), [30, 35, 50].map(peerAt));
    expect(placesOf(cache.after(idAt(0), 100))).to.deep.equal([20, 30, 35, 50, 60]);
    cache.followed(idAt(60), [peerAt(20)]);
    cache.followed(idAt(20), []);
    expect(placesOf(cache.after(idAt(0), 100))).to.deep.equal([20, 30, 35, 50, 60]);
  });

  it('keeps, in a ring that it cannot hold, everybody near and gaps in proportion to the distance', () => {
    const self = hashed(0);
    const cache = cacheOf(512, self.id);
    for (let n = 1; n < 8192; n += 1) cache.heard([hashed(n)], idAt(n % 64));
    expect(cache.size).to.equal(512);
    const distances = cache.after(self.id, 512).map(({ id }) => turnsBetween(self.id, id));
    /** Entries between two distances, in turns. */
    const kept = (from: number, to: number): number => distances.filter((d) => d >= from && d < to).length;
    const octaves = [kept(1 / 2, 1), kept(1 / 4, 1 / 2), kept(1 / 8, 1 / 4), kept(1 / 16, 1 / 8)];
    for (const count of octaves) expect(count).to.be.within(45, 160);
    expect(kept(0, 1 / 512)).to.be.at.least(10);
  });

  it('keeps equal gaps where it belongs to nobody on the ring', () => {
    const cache = cacheOf(256);
    for (let n = 1; n < 4096; n += 1) cache.heard([hashed(n)], idAt(n % 64));
    const quarters = [0, 1, 2, 3].map(
      (quarter) =>
        cache.after(idAt(0), 256).filter(({ id }) => Math.floor(4 * turnsBetween(idAt(0), id)) === quarter)
          .length,
    );
    for (const count of quarters) expect(count).to.be.within(50, 78);
  });
});
