import { expect } from 'chai';
import fc from 'fast-check';

import type { Id } from '../../src/ring/identifier.js';
import { allKeys, isInRange, partsOf } from '../../src/ring/key-range.js';
import { fingerprintOf } from '../../src/store/fingerprints.js';
import { createMemoryStore } from '../../src/store/memory.js';
import type { BlockState, KeyItem, Store } from '../../src/store/store.js';
import { alice, blockOf, bob, HandClock } from './store.conformance.js';

const blocks = ['a', 'b', 'c'].map((text) => blockOf(text, 100));
const ids = blocks.map(({ id }) => id);
const bytesOf = new Map(blocks.map(({ id, bytes }) => [id, bytes]));
const holders = 3;

interface World {
  readonly clocks: readonly HandClock[];
  readonly stores: readonly Store[];
}

interface Step {
  readonly text: string;
  readonly act: (store: Store, nowMs: number, world: World) => Promise<unknown>;
}

/** What one holder knows. */
interface Told {
  readonly id: Id;
  readonly state: BlockState;
  readonly isHeld: boolean;
}

async function toldBy(store: Store): Promise<readonly Told[]> {
  const states = await store.blockStates(ids);
  const held = await heldBy(store);
  return ids.flatMap((id, at) => {
    const state = states[at];
    return state === undefined ? [] : [{ id, state, isHeld: held.includes(id) }];
  });
}

async function heldBy(store: Store): Promise<readonly Id[]> {
  return (await store.listKeys(allKeys.first, 100)).map(({ id }) => id);
}

/** Tells one holder what another one knows; whoever needs bytes gets them from who told, who has to hold them. */
async function tell(store: Store, told: readonly Told[]): Promise<void> {
  for (const { id, state, isHeld } of told) {
    if ((await store.mergeBlock(id, state)) === 'merged') continue;
    expect(isHeld, 'who makes another one ask for bytes holds them').to.equal(true);
    expect(await store.mergeBlock(id, state, bytesOf.get(id))).to.equal('merged');
  }
}

const aBlock = fc.constantFrom(...blocks);
const anOwner = fc.constantFrom(alice, bob);
/** Times around now: not every holder gets what happened when it happened. */
const aDelayMs = fc.integer({ min: -300, max: 300 });

const aStep: fc.Arbitrary<Step> = fc.oneof(
  fc
    .tuple(aBlock, anOwner, fc.option(aDelayMs, { nil: undefined }))
    .map(([{ id, bytes }, owner, delayMs]) => ({
      text: `put ${id.slice(0, 4)} for ${owner.slice(0, 4)} ${delayMs}`,
      act: (store: Store, nowMs: number) =>
        store.putBlock(id, bytes, owner, delayMs === undefined ? undefined : nowMs + delayMs),
    })),
  fc
    .tuple(fc.subarray(ids), anOwner, fc.option(aDelayMs, { nil: undefined }))
    .map(([some, owner, delayMs]) => ({
      text: `touch ${some.map((id) => id.slice(0, 4)).join(' ')} for ${owner.slice(0, 4)} ${delayMs}`,
      act: (store: Store, nowMs: number) =>
        store.touchBlocks(some, owner, delayMs === undefined ? undefined : nowMs + delayMs),
    })),
  fc.tuple(aBlock, anOwner, aDelayMs).map(([{ id }, owner, delayMs]) => ({
    text: `release ${id.slice(0, 4)} for ${owner.slice(0, 4)} ${delayMs}`,
    act: (store: Store, nowMs: number) => store.releaseBlock(id, owner, nowMs + delayMs),
  })),
  fc.constant({
    text: 'empty the trash',
    act: (store: Store, nowMs: number) => store.emptyTrash(nowMs),
  }),
  fc.nat(holders - 1).map((from) => ({
    text: `hear from ${from}`,
    act: async (store: Store, _: number, { stores }: World) => tell(store, await toldBy(stores[from]!)),
  })),
  aBlock.map(({ id, bytes }) => ({
    text: `find ${id.slice(0, 4)} without an owner`,
    act: (store: Store) => store.mergeBlock(id, { sizeBytes: bytes.length, ownerships: [] }, bytes),
  })),
);

describe('holders of the same blocks', function () {
  this.timeout(300_000);

  it('come to the same, whatever happened to each of them and in whatever order they hear of it', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ step: aStep, at: fc.nat(holders - 1), passesMs: fc.nat(200) }), {
          maxLength: 40,
          size: 'max',
        }),
        fc.array(fc.integer({ min: -1000, max: 1000 }), { minLength: holders, maxLength: holders }),
        fc.shuffledSubarray([0, 1, 2], { minLength: 3 }),
        async (steps, skews, order) => {
          const clocks = skews.map((skewMs) => new HandClock(1_700_000_000_000 + skewMs));
          const stores = clocks.map((clock) => createMemoryStore({ clock }));
          for (const { step, at, passesMs } of steps) {
            for (const clock of clocks) clock.ms += passesMs;
            await step.act(stores[at]!, clocks[at]!.ms, { clocks, stores });
          }

          const told = await Promise.all(stores.map((store) => toldBy(store)));
          for (const [at, store] of stores.entries()) {
            // Everybody hears it in another order, and his own words, too.
            for (let turn = 0; turn < holders; turn += 1)
              await tell(store, told[order[(at + turn) % holders]!]!);
          }
          await expectSame(stores);
          const items = await stores[0]!.items(allKeys, 100);
          for (const store of stores) for (const words of told) await tell(store, words);
          await expectSame(stores);
          expect(await stores[0]!.items(allKeys, 100)).to.deep.equal(items);
        },
      ),
      { numRuns: 300 },
    ));
});

describe('a holder whose clock was days ahead', function () {
  this.timeout(300_000);
  const hour = 3_600_000;

  it('comes to the same as the others once it is put right, and nothing becomes undeletable', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ step: aStep, at: fc.nat(holders - 1), passesMs: fc.nat(hour) }), {
          maxLength: 40,
          size: 'max',
        }),
        fc.constantFrom(1, 2, 10, 1000),
        fc.array(fc.integer({ min: 0, max: 12 * hour }), { minLength: holders, maxLength: holders }),
        fc.array(fc.nat(9 * hour), { minLength: 12, maxLength: 12 }),
        async (steps, daysAhead, skews, pauses) => {
          const clocks = skews.map((skewMs) => new HandClock(1_700_000_000_000 + skewMs));
          const stores = clocks.map((clock) => createMemoryStore({ clock }));
          const pass = (ms: number): void => clocks.forEach((clock) => (clock.ms += ms));
          clocks[0]!.ms += daysAhead * 24 * hour;
          for (const { step, at, passesMs } of steps) {
            pass(passesMs);
            await step.act(stores[at]!, clocks[at]!.ms, { clocks, stores });
          }
          clocks[0]!.ms -= daysAhead * 24 * hour;

          const tellAll = async (): Promise<void> => {
            for (const [at, store] of stores.entries())
              for (const [from, other] of stores.entries()) {
                if (from === at) continue;
                pass(pauses[(at * holders + from) % pauses.length]!);
                await tell(store, await toldBy(other));
              }
          };
          // A time that some of them believe and others do not yet is believed by all a day later.
          await tellAll();
          pass(24 * hour);
          await tellAll();
          await tellAll();
          await expectSame(stores);
          const items = await stores[0]!.items(allKeys, 100);
          await tellAll();
          await expectSame(stores);
          expect(await stores[0]!.items(allKeys, 100)).to.deep.equal(items);

          pass(48 * hour);
          for (const [at, store] of stores.entries())
            for (const id of ids)
              for (const owner of [alice, bob])
                expect(await store.releaseBlock(id, owner, clocks[at]!.ms)).to.equal(true);
          await tellAll();
          await tellAll();
          await expectSame(stores);
          for (const id of ids) {
            const [state] = await stores[0]!.blockStates([id]);
            if ((state?.ownerships.length ?? 0) > 0)
              expect(await stores[0]!.getBlock(id)).to.equal(undefined);
          }
        },
      ),
      { numRuns: 200 },
    ));
});

async function expectSame(stores: readonly Store[]): Promise<void> {
  const items: (readonly KeyItem[])[] = [];
  for (const store of stores) {
    items.push(await store.items(allKeys, 100));
    const held = await heldBy(store);
    expect(held).to.deep.equal(await heldBy(stores[0]!));
    for (const range of [allKeys, ...partsOf(allKeys, 3), { first: ids[0]!, last: ids[0]! }]) {
      const counted = items
        .at(-1)!
        .filter(({ id }) => isInRange(id, range))
        .map(({ id, digest }) => ({ digest, isHeld: held.includes(id) }));
      expect(await store.fingerprint(range)).to.deep.equal(fingerprintOf(counted));
    }
  }
  for (const one of items) expect(one).to.deep.equal(items[0]);
}
