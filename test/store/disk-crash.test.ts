import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

import { expect } from 'chai';

import { seededRandom } from '../../src/base/random.js';
import { parseId } from '../../src/ring/identifier.js';
import type { Store } from '../../src/store/store.js';
import { filesOf, Scratch } from './disk-helpers.js';

const rounds = 6;

/** What the child said is on disk, by id. */
interface Acknowledged {
  readonly blocks: Map<string, number>;
  readonly records: Map<string, number>;
}

describe('the store on disk, killed', function () {
  this.timeout(300_000);
  const scratch = new Scratch();
  let child: ChildProcessByStdio<null, Readable, null> | undefined;

  afterEach(async () => {
    child?.kill('SIGKILL');
    await scratch.clear();
  });

  /** Lets the child work until it has acknowledged so many values, kills it, and waits for its end. */
  async function killAfter(
    path: string,
    round: number,
    count: number,
    acknowledged: Acknowledged,
  ): Promise<void> {
    const script = join(import.meta.dirname, 'crash-child.js');
    const own = spawn(process.execPath, [script, path, `${round}`], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    child = own;
    const ended = new Promise((resolve) => own.once('close', resolve));
    let seen = 0;
    for await (const line of createInterface({ input: own.stdout })) {
      const [kind, id, number] = line.split(' ');
      // A line that the kill cut short acknowledges nothing.
      if (id?.length !== 64 || number === undefined || number === '') continue;
      if (kind === 'block') acknowledged.blocks.set(id, Number(number));
      else if (kind === 'trash') acknowledged.blocks.delete(id);
      else acknowledged.records.set(id, Number(number));
      seen += 1;
      if (seen === count) own.kill('SIGKILL');
    }
    await ended;
    expect(seen).to.be.at.least(count);
  }

  async function expectAll(store: Store, { blocks, records }: Acknowledged): Promise<void> {
    for (const id of blocks.keys()) {
      // A get checks the hash. One that a release or touch was under way for may be in the trash, but never gone.
      const got = await store.getBlock(parseId(id));
      const info = await store.blockInfo(parseId(id));
      if (got === undefined) expect(info?.trashedAtMs, id).to.be.a('number');
      else expect(info?.owners, id).to.have.length(1);
    }
    for (const [id, sequence] of records) {
      expect((await store.getRecord(parseId(id)))?.sequence, id).to.be.at.least(sequence);
    }
  }

  it('has all that it acknowledged, whole, however often', async () => {
    const path = await scratch.directory();
    const random = seededRandom(20);
    const acknowledged: Acknowledged = { blocks: new Map(), records: new Map() };
    for (let round = 1; round <= rounds; round += 1) {
      await killAfter(path, round, 1 + random.below(150), acknowledged);
      const warnings: string[] = [];
      const store = await scratch.open(path, { warnings });
      await expectAll(store, acknowledged);
      expect(store.stats().damaged).to.equal(0);
      expect(await filesOf(path, 'tmp')).to.deep.equal([]);
      // What a crash leaves is taken in or moved; an entry without its file would be a loss.
      expect(warnings.filter((message) => message !== 'the blocks are counted')).to.deep.equal([]);
      await store.close();
    }
    expect(acknowledged.blocks.size).to.be.greaterThan(rounds);
  });
});
