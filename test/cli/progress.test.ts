import { expect } from 'chai';

import { startProgress } from '../../src/cli/progress.js';
import { testClock } from '../identity/tools.js';

function shown(isTTY: boolean, wanted = true) {
  const clock = testClock(0);
  const written: string[] = [];
  const lines: string[] = [];
  const terminal = { isTTY, write: (text: string) => written.push(text) > 0 };
  const progress = startProgress('doing', wanted, clock, terminal, (line) => lines.push(line));
  return { clock, written, lines, progress };
}

describe('progress', () => {
  it('is not shown where nobody looks, or nobody wants it; lines still are', () => {
    for (const { written, lines, progress } of [shown(false), shown(true, false)]) {
      progress.add({ files: 1, bytes: 1 });
      progress.line('a problem');
      progress.end();
      expect(written).to.deep.equal([]);
      expect(lines).to.deep.equal(['a problem']);
    }
  });

  it('changes its line at most ten times a second, and counts what comes between', () => {
    const { clock, written, progress } = shown(true);
    for (let at = 0; at < 100; at += 1) {
      clock.timeMs += 10;
      progress.add({ files: 1, bytes: 1024 });
    }
    expect(written.length).to.be.within(9, 11);
    expect(written.at(-1)).to.match(/doing: \d+ files, .* KiB in .*\/s\)$/);
  });

  it('makes room for a line for people, and takes its own away at the end', () => {
    const { written, lines, progress } = shown(true);
    progress.add({ files: 1, bytes: 1 });
    progress.line('a problem');
    progress.end();
    expect(written.slice(1)).to.deep.equal(['\r\u001b[K', '\r\u001b[K']);
    expect(lines).to.deep.equal(['a problem']);
  });
});
