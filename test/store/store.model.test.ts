import { expect } from 'chai';
import fc from 'fast-check';

import { hasCode } from '../../src/base/errors.js';
import type { Id } from '../../src/ring/identifier.js';
import { allKeys } from '../../src/ring/key-range.js';
import { fingerprintOf } from '../../src/store/fingerprints.js';
import { createMemoryStore } from '../../src/store/memory.js';
import type { Store } from '../../src/store/store.js';
import { Scratch } from './disk-helpers.js';
import { alice, blockOf, bob, fineDisk, firstId, HandClock, recordOf } from './store.conformance.js';

/** What a store should hold, said as simply as can be. */
interface Model {
  blocks: Map<Id, { size: number; owners: Set<Id>; touched: number; trashed: number | undefined }>;
  records: Map<Id, { sequence: number; value: string }>;
}

interface Real {
  clock: HandClock;
  disk: Store;
  memory: Store;
  /** Closes the disk store and opens it again. */
  reopen: () => Promise<void>;
}

type Command = fc.AsyncCommand<Model, Real>;

const blocks = ['a', 'b', 'c', 'd'].map((text, at) => blockOf(text, 10 * (at + 1)));
const owners = [alice, bob];

/** A command that does the same to both stores and expects the same answer of both. */
function command(
  text: string,
  expected: (model: Model, nowMs: number) => unknown,
  act: (store: Store, nowMs: number) => Promise<unknown>,
): Command {
  return {
    check: () => true,
    toString: () => text,
    run: async (model, real) => {
      real.clock.ms += 1;
      const answer = expected(model, real.clock.ms);
      expect(await act(real.memory, real.clock.ms), `memory: ${text}`).to.deep.equal(answer);
      expect(await act(real.disk, real.clock.ms), `disk: ${text}`).to.deep.equal(answer);
      expectSame(model, real);
      await expectListed(model, real);
    },
  };
}

function expectSame(model: Model, { memory, disk }: Real): void {
  const all = [...model.blocks.values()];
  const recordBytes = [...model.records.values()].reduce((sum, { value }) => sum + value.length, 0);
  for (const store of [memory, disk]) {
    // What was forgotten does not count any more when a store is opened again.
    const { latestMs: _, ...stats } = store.stats();
    expect(stats).to.deep.equal({
      blocks: all.filter(({ trashed }) => trashed === undefined).length,
      records: model.records.size,
      bytes: recordBytes + all.reduce((sum, { size }) => sum + size, 0),
      capacityBytes: null,
      damaged: 0,
      mended: 0,
      disk: fineDisk,
    });
    for (const owner of owners) {
      const own = all.filter((one) => one.owners.has(owner));
      expect(store.usedBytes(owner)).to.equal(own.reduce((sum, { size }) => sum + size, 0));
    }
  }
}

async function expectListed(model: Model, { memory, disk }: Real): Promise<void> {
  const held = [...model.blocks].filter(([, { trashed }]) => trashed === undefined).map(([id]) => id);
  const ids = [...held, ...model.records.keys()].sort();
  for (const store of [memory, disk]) {
    expect((await store.listKeys(firstId, 100)).map(({ id }) => id)).to.deep.equal(ids);
    for (const [id, { owners: own, trashed, touched }] of model.blocks) {
      const info = await store.blockInfo(id);
      expect([info?.trashedAtMs, info?.touchedAtMs]).to.deep.equal([trashed, touched]);
      expect(info?.owners).to.have.members([...own]);
    }
  }
  const items = await memory.items(allKeys, 100);
  expect(await disk.items(allKeys, 100)).to.deep.equal(items);
  for (const store of [memory, disk]) {
    const fingerprint = fingerprintOf(items.map(({ digest }) => ({ digest, isHeld: false })));
    expect(await store.fingerprint(allKeys)).to.deep.equal({ ...fingerprint, held: ids.length });
  }
}

const aBlock = fc.constantFrom(...blocks);
const anOwner = fc.constantFrom(...owners);

const commands: fc.Arbitrary<Command>[] = [
  fc.tuple(aBlock, anOwner).map(([{ id, bytes }, owner]) =>
    command(
      `put ${id.slice(0, 4)} for ${owner.slice(0, 4)}`,
      (model, nowMs) => {
        const before = model.blocks.get(id);
        model.blocks.set(id, {
          size: bytes.length,
          owners: new Set([...(before?.owners ?? []), owner]),
          touched: nowMs,
          trashed: undefined,
        });
        return { isNew: before === undefined || before.trashed !== undefined };
      },
      (store) => store.putBlock(id, bytes, owner),
    ),
  ),
  aBlock.map(({ id, bytes }) =>
    command(
      `get ${id.slice(0, 4)}`,
      (model) => {
        const block = model.blocks.get(id);
        return block === undefined || block.trashed !== undefined
          ? undefined
          : Buffer.from(bytes).toString('hex');
      },
      async (store) => {
        const got = await store.getBlock(id);
        return got && Buffer.from(got.bytes).toString('hex');
      },
    ),
  ),
  fc.tuple(fc.array(aBlock, { maxLength: 4 }), anOwner).map(([some, owner]) =>
    command(
      `touch ${some.map(({ id }) => id.slice(0, 4)).join(' ')} for ${owner.slice(0, 4)}`,
      (model, nowMs) =>
        some.map(({ id }) => {
          const block = model.blocks.get(id);
          block?.owners.add(owner);
          if (block !== undefined) Object.assign(block, { touched: nowMs, trashed: undefined });
          return block !== undefined;
        }),
      (store) =>
        store.touchBlocks(
          some.map(({ id }) => id),
          owner,
        ),
    ),
  ),
  fc.tuple(aBlock, anOwner, fc.integer({ min: 0, max: 6 })).map(([{ id }, owner, ageMs]) =>
    command(
      `release ${id.slice(0, 4)} for ${owner.slice(0, 4)}, live set ${ageMs} ms old`,
      (model, nowMs) => {
        const block = model.blocks.get(id);
        if (block?.owners.has(owner) !== true) return true;
        if (block.touched > nowMs - ageMs) return false;
        block.owners.delete(owner);
        if (block.owners.size === 0) block.trashed = nowMs;
        return true;
      },
      (store, nowMs) => store.releaseBlock(id, owner, nowMs - ageMs),
    ),
  ),
  fc.integer({ min: 0, max: 6 }).map((ageMs) =>
    command(
      `empty the trash of what is older than ${ageMs} ms`,
      (model, nowMs) => {
        let freed = 0;
        for (const [id, { size, trashed }] of model.blocks) {
          if (trashed === undefined || trashed >= nowMs - ageMs) continue;
          model.blocks.delete(id);
          freed += size;
        }
        return freed;
      },
      (store, nowMs) => store.emptyTrash(nowMs - ageMs),
    ),
  ),
  fc
    .tuple(fc.constantFrom('r', 's'), fc.integer({ min: 0, max: 3 }), fc.constantFrom('x', 'yy'))
    .map(([name, sequence, value]) =>
      command(
        `record ${name} ${sequence} ${value}`,
        (model) => {
          const { id } = recordOf(name, 0, '');
          const held = model.records.get(id);
          if (held === undefined || sequence > held.sequence) {
            model.records.set(id, { sequence, value });
            return 'kept';
          }
          return held.value === value ? 'kept' : 'CONFLICT';
        },
        async (store) => {
          try {
            await store.putRecord(recordOf(name, sequence, value));
            return 'kept';
          } catch (error) {
            if (hasCode(error, 'CONFLICT')) return error.code;
            throw error;
          }
        },
      ),
    ),
  fc.constantFrom('r', 's').map((name) =>
    command(
      `get record ${name}`,
      (model) => model.records.get(recordOf(name, 0, '').id),
      async (store) => {
        const got = await store.getRecord(recordOf(name, 0, '').id);
        return got && { sequence: got.sequence, value: Buffer.from(got.bytes).toString() };
      },
    ),
  ),
  fc.constant({
    check: () => true,
    toString: () => 'reopen',
    run: async (model: Model, real: Real) => {
      await real.reopen();
      expectSame(model, real);
      await expectListed(model, real);
    },
  }),
];

describe('the stores in memory and on disk', function () {
  this.timeout(300_000);
  const scratch = new Scratch();
  afterEach(() => scratch.clear());

  it('do what the model does, whatever is asked of them, also after they were opened again', () =>
    fc.assert(
      fc.asyncProperty(fc.commands(commands, { maxCommands: 40, size: 'max' }), async (sequence) => {
        const path = await scratch.directory();
        await fc.asyncModelRun(async () => {
          const clock = new HandClock();
          const real: Real = {
            clock,
            disk: await scratch.open(path, { clock }),
            memory: createMemoryStore({ clock }),
            reopen: async () => {
              await real.disk.close();
              real.disk = await scratch.open(path, { clock });
            },
          };
          return { model: { blocks: new Map(), records: new Map() }, real };
        }, sequence);
        await scratch.clear();
      }),
      { numRuns: 20 },
    ));
});
