import { unlinkSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from 'chai';

import { exitCodes } from '../../src/cli/exit-codes.js';
import { Lab, succeeded } from './harness.js';
import { blocksOf, MiB, randomFiles } from './support.js';

describe('A ring that has lost data', function () {
  this.timeout(300_000);
  let lab: Lab;

  beforeEach(() => {
    lab = new Lab();
  });
  afterEach(() => lab.close());

  it('is found out by check, which ends with 7 and names snapshot and path of all that is missing', async () => {
    const peer = await lab.peer('p1');
    const ada = await lab.user('ada', peer);
    const data = randomFiles(lab.path('data'), 3, 2 * MiB);
    succeeded(await ada.run(['backup', data]));
    const { id: snapshot } = (await ada.json(['snapshots'])) as { id: string };
    for (const [id, size] of blocksOf(peer))
      if (size > MiB / 8) unlinkSync(join(peer.dataPath, 'blocks', id.slice(0, 2), id));
    const paths = [0, 1, 2].map((number) => join(data, `file ${number}`));
    for (const options of [[], ['--read-data'], ['--quiet']]) {
      const { code, stdout, stderr } = await ada.run(['check', ...options]);
      expect(code).to.equal(exitCodes.damaged);
      const named = stderr.trim().split('\n');
      expect(named).to.have.length(paths.length);
      for (const [at, path] of paths.entries())
        expect(named[at]).to.include(`snapshot ${snapshot.slice(0, 12)}: ${path}: `);
      expect(stdout).to.match(options.includes('--quiet') ? /^$/ : /3 problems, named above/);
    }
    const asked = await ada.run(['check', '--json']);
    expect(asked.code).to.equal(exitCodes.damaged);
    const lines = asked.stdout.trim().split('\n');
    const found = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(found.slice(0, -1).map((each) => [each['snapshot'], each['path']])).to.deep.equal(
      paths.map((path) => [snapshot, path]),
    );
    expect(found.at(-1)).to.include({ findings: 3 });
  });
});
