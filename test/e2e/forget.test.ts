import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from 'chai';

import { exitCodes } from '../../src/cli/exit-codes.js';
import { compareTrees } from '../fixtures/compare-trees.js';
import { type Client, Lab, succeeded } from './harness.js';
import { expectRefusal, MiB, randomFiles } from './support.js';

describe('Snapshots that are not wanted any more', function () {
  this.timeout(300_000);
  let lab: Lab;
  let ada: Client;
  let data: string;

  beforeEach(async () => {
    lab = new Lab();
    ada = await lab.user('ada', await lab.peer('p1'));
    data = randomFiles(lab.path('data'), 2, 2 * MiB);
  });
  afterEach(() => lab.close());

  const snapshots = async (): Promise<string[]> =>
    succeeded(await ada.run(['snapshots', '--json']))
      .stdout.trim()
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => (JSON.parse(line) as { id: string }).id);

  it('are forgotten, and brought back', async () => {
    succeeded(await ada.run(['backup', data]));
    writeFileSync(join(data, 'file 0'), 'another');
    succeeded(await ada.run(['backup', data]));
    const [first, second] = await snapshots();
    succeeded(await ada.run(['forget', '--', first!.slice(0, 12)]));
    expect(await snapshots()).to.deep.equal([second]);
    expectRefusal(
      await ada.run(['restore', first!, '--target', lab.path('no')]),
      exitCodes.notFound,
      /snapshot/,
    );
    const listed = succeeded(await ada.run(['undelete'])).stdout;
    expect(listed).to.contain(first!.slice(0, 12)).and.to.contain('forgotten');
    const [line, summary] = succeeded(await ada.run(['undelete', '--json']))
      .stdout.trim()
      .split('\n');
    expect(JSON.parse(line!))
      .to.include({ id: first })
      .and.to.have.keys(...['id', 'time', 'host', 'paths', 'forgottenAt', 'listedUntil']);
    expect(JSON.parse(summary!)).to.deep.equal({ forgotten: 1 });
    succeeded(await ada.run(['undelete', first!.slice(0, 12)]));
    expect(await snapshots()).to.deep.equal([first, second]);
    succeeded(await ada.run(['check', '--read-data']));
    const target = lab.path('target');
    succeeded(await ada.run(['restore', `${second}:${data}`, '--target', target]));
    expect(await compareTrees(data, target)).to.deep.equal([]);
  });

  it('are chosen by rules, and shown before', async () => {
    rmSync(join(data, 'file 1'));
    for (let time = 0; time < 3; time += 1) succeeded(await ada.run(['backup', data, '--tag', `t${time}`]));
    const all = await snapshots();
    const dry = succeeded(await ada.run(['forget', '--keep-last', '1', '--keep-monthly', '2', '--dry-run']));
    expect(dry.stdout.match(/^ {2}forget /gm)).to.have.length(2);
    expect(dry.stdout)
      .to.match(/^ {2}keep .*\[t2\] {2}\(last, monthly\)$/m)
      .and.to.contain('would be forgotten, 1 kept');
    expect(await snapshots()).to.deep.equal(all);
    expect(await ada.json(['forget', '--keep-last', '1'])).to.deep.equal({
      kept: 1,
      forgotten: 2,
      dryRun: false,
    });
    expect(await snapshots()).to.deep.equal(all.slice(2));
  });

  it('are not guessed at', async () => {
    succeeded(await ada.run(['backup', data]));
    for (const [args, code] of [
      [[], exitCodes.usage],
      [['--keep-last', '0'], exitCodes.usage],
      [['--keep-daily', 'x'], exitCodes.usage],
      [['--keep-within', 'long'], exitCodes.usage],
      [['latest', '--keep-last', '1'], exitCodes.usage],
      [['--keep-last', '1', '--', 'latest'], exitCodes.usage],
      [['0123'], exitCodes.notFound],
    ] as const)
      expectRefusal(await ada.run(['forget', ...args]), code);
    expectRefusal(await ada.run(['undelete', 'latest']), exitCodes.notFound, /no forgotten snapshot/);
    expect(await snapshots()).to.have.length(1);
  });
});
