import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from 'chai';

import { exitCodes } from '../../src/cli/exit-codes.js';
import { Lab, succeeded } from './harness.js';
import { expectRefusal, MiB, randomFiles } from './support.js';

describe('find, diff and stats of peerstore-client', function () {
  this.timeout(300_000);

  it('show what is in snapshots, for people and for scripts', async () => {
    const lab = new Lab();
    try {
      const peer = await lab.peer('p1');
      const ada = await lab.user('ada', peer);
      const data = randomFiles(lab.path('data'), 2, MiB);
      succeeded(await ada.run(['backup', data]));
      writeFileSync(join(data, 'file 1'), 'changed');
      writeFileSync(join(data, 'new'), 'new');
      succeeded(await ada.run(['backup', data]));
      const ids = succeeded(await ada.run(['snapshots', '--json']))
        .stdout.trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as { id: string }).id);

      const found = succeeded(await ada.run(['find', 'file *', '--json']))
        .stdout.trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Record<string, unknown>);
      expect(found.pop()).to.deep.equal({ matches: 3, snapshots: 2 });
      expect(found.map(({ snapshot, path, size }) => [snapshot, path, size])).to.deep.equal([
        [ids[1], join(data, 'file 0'), MiB],
        [ids[1], join(data, 'file 1'), 7],
        [ids[0], join(data, 'file 1'), MiB],
      ]);
      expect(succeeded(await ada.run(['find', 'new'])).stdout).to.match(
        /^snapshot [^\n]+:\n-rw\S+ .*\/new\n$/,
      );
      expectRefusal(
        await ada.run(['find', 'nowhere']),
        exitCodes.notFound,
        /nothing matches "nowhere" in 2 snapshots/,
      );

      const diff = succeeded(await ada.run(['diff', `${ids[0]!}:${data}`, `latest:${data}`]));
      expect(diff.stdout).to.match(
        /^M .*file 1\n\+ .*new\n1 added, 0 removed, 1 changed, 0 with other attributes; /,
      );
      expect(await ada.json(['diff', ids[1]!, 'latest'])).to.include({ added: 0, removed: 0, modified: 0 });
      expectRefusal(
        await ada.run(['diff', 'latest', `latest:${join(data, 'new')}`]),
        exitCodes.usage,
        /no directory/,
      );
      expectRefusal(await ada.run(['diff', 'latest']), exitCodes.usage);

      expect(await ada.json(['stats'])).to.include({ snapshots: 2, files: 5, bytes: 3 * MiB + 10 });
      expect(succeeded(await ada.run(['stats', '--snapshot', 'latest'])).stdout).to.match(
        /^1 snapshot of 3 files, /,
      );
    } finally {
      await lab.close();
    }
  });
});
