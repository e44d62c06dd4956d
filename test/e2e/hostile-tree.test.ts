import { mkdirSync } from 'node:fs';
import { basename } from 'node:path';

import { expect } from 'chai';

import { exitCodes } from '../../src/cli/exit-codes.js';
import { compareTrees } from '../fixtures/compare-trees.js';
import { makeHostileTree } from '../fixtures/hostile-tree.js';
import { Lab } from './harness.js';
import { MiB } from './support.js';

describe('A tree with everything that a file system can hold', function () {
  this.timeout(300_000);
  let lab: Lab;

  before(() => {
    lab = new Lab();
  });
  after(() => lab.close());

  it('goes to real peers and comes back exactly; what cannot be stored is named', async () => {
    const [founder] = await lab.ring(3);
    const ada = await lab.user('ada', founder);
    const tree = lab.path('hostile');
    mkdirSync(tree);
    const { special } = await makeHostileTree(tree, { levels: 60, wide: 1000, sparseBytes: 64 * MiB });

    const backup = await ada.run(['backup', tree, '--json']);
    expect(backup.code).to.equal(exitCodes.incomplete);
    expect(JSON.parse(backup.stdout)).to.include({ errors: special.length });
    for (const path of special) expect(backup.stderr).to.include(`${path.toString()}: `);

    const target = lab.path('restored');
    const restore = await ada.run(['restore', `latest:${tree}`, '--target', target]);
    expect({ code: restore.code, stderr: restore.stderr }).to.deep.equal({
      code: exitCodes.done,
      stderr: '',
    });
    const isSpecial = (path: Uint8Array): boolean =>
      special.some((one) => basename(one.toString()) === basename(Buffer.from(path).toString()));
    expect(await compareTrees(tree, target, { ignore: isSpecial })).to.deep.equal([]);
    expect((await ada.run(['check', '--read-data'])).code).to.equal(exitCodes.done);
  });
});
