import { lstatSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from 'chai';

import { compareTrees } from '../fixtures/compare-trees.js';
import { makeHostileTree } from '../fixtures/hostile-tree.js';
import { roundTrip } from '../fixtures/round-trip.js';
import { temporaryDirectory } from '../fixtures/temporary.js';

const isSpecial = (_: Uint8Array, info: { type: string }): boolean =>
  !['file', 'directory', 'symlink'].includes(info.type);

describe('scan and restore', () => {
  const temporary = temporaryDirectory();

  it('give back everything that a Unix tree can hold, and name what they leave out', async function () {
    this.timeout(300_000);
    const [source, target] = [join(temporary(), 'source'), join(temporary(), 'target')];
    mkdirSync(source);
    const { special } = await makeHostileTree(source, { wide: 2000, sparseBytes: 2 ** 28 });
    const { problems, summary } = await roundTrip(source, target);

    expect(await compareTrees(source, target, { ignore: isSpecial })).to.deep.equal([]);
    expect(problems.map(({ kind, path }) => `${kind} ${Buffer.from(path).toString()}`)).to.have.members(
      special.map((path) => `skipped ${path.toString()}`),
    );
    expect(summary.files).to.be.greaterThan(2000);
    expect(lstatSync(join(target, 'sparse/large')).blocks * 512).to.be.lessThan(1024 * 1024);
    expect(lstatSync(join(target, 'sparse/only a hole')).blocks * 512).to.be.lessThan(1024 * 1024);
  });

  it('leave a restored tree alone under if-changed, and restore only what was touched since', async () => {
    const [source, target] = [join(temporary(), 'source'), join(temporary(), 'target')];
    mkdirSync(source);
    await makeHostileTree(source, { wide: 20, levels: 3, sparseBytes: 100_000 });
    const first = await roundTrip(source, target);
    const again = await roundTrip(source, target, { overwrite: 'if-changed' });
    expect(again.summary).to.include({ files: 0, leftAlone: first.summary.files, bytes: 0 });

    writeFileSync(join(target, 'sizes/4096'), 'damaged');
    const third = await roundTrip(source, target, { overwrite: 'if-changed' });
    expect(third.summary).to.include({ files: 1, bytes: 4096 });
    expect(await compareTrees(source, target, { ignore: isSpecial })).to.deep.equal([]);
  });

  it('restore over a restored tree: the result is the same and nothing is left over', async () => {
    const [source, target] = [join(temporary(), 'source'), join(temporary(), 'target')];
    mkdirSync(source);
    await makeHostileTree(source, { wide: 20, levels: 3, sparseBytes: 100_000 });
    await roundTrip(source, target);
    await roundTrip(source, target);
    expect(await compareTrees(source, target, { ignore: isSpecial })).to.deep.equal([]);
  });
});
