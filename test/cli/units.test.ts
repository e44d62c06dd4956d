import { expect } from 'chai';

import { hasCode } from '../../src/base/errors.js';
import {
  parseDuration,
  parseRate,
  parseSize,
  showCount,
  showDuration,
  showSize,
} from '../../src/cli/units.js';

const refused = (action: () => unknown): boolean => {
  try {
    action();
    return false;
  } catch (error) {
    return hasCode(error, 'USAGE') && error.message.includes('--x');
  }
};

describe('sizes and times', () => {
  for (const [text, bytes] of [
    ['0', 0],
    ['1', 1],
    ['10B', 10],
    ['1K', 1024],
    ['1k', 1024],
    ['1.5M', 1.5 * 1024 ** 2],
    ['2GiB', 2 * 1024 ** 3],
    ['3T', 3 * 1024 ** 4],
    [' 7 ', 7],
  ] as const) {
    it(`the size "${text}" is ${bytes} bytes`, () => expect(parseSize(text, '--x')).to.equal(bytes));
  }

  for (const text of ['', 'K', '-1', '1P', '1 K', '1e3', 'x', '1.', '.5', '99999999T', 'NaN']) {
    it(`"${text}" is no size, and the message names the option`, () =>
      expect(refused(() => parseSize(text, '--x'))).to.equal(true));
  }

  it('a rate is a size above nothing', () => {
    expect(parseRate('2M', '--x')).to.equal(2 * 1024 ** 2);
    expect(parseRate('500K/s', '--x')).to.equal(500 * 1024);
    for (const text of ['0', '0.2', '', '-1M', '2M/h'])
      expect(
        refused(() => parseRate(text, '--x')),
        text,
      ).to.equal(true);
  });

  it('a time has a unit', () => {
    const times = [
      ['0s', 0],
      ['30s', 30_000],
      ['10m', 600_000],
      ['1H', 3_600_000],
      ['7d', 604_800_000],
      ['1.5s', 1500],
    ] as const;
    for (const [text, ms] of times) expect(parseDuration(text, '--x'), text).to.equal(ms);
    for (const text of ['', '5', 's', '-1s', '1w', '1 s'])
      expect(
        refused(() => parseDuration(text, '--x')),
        text,
      ).to.equal(true);
  });

  it('are shown with the unit that fits', () => {
    const sizes = [0, 1, 1023, 1024, 10 * 1024, 1024 ** 2, 1.5 * 1024 ** 3, 1024 ** 6].map(showSize);
    expect(sizes).to.deep.equal([
      '0 B',
      '1 B',
      '1023 B',
      '1.00 KiB',
      '10.0 KiB',
      '1.00 MiB',
      '1.50 GiB',
      '1024 PiB',
    ]);
    const times = [0, 999, 1000, 59_949, 60_000, 3_599_000, 3_600_000, 90_061_000].map(showDuration);
    expect(times).to.deep.equal([
      '0 ms',
      '999 ms',
      '1.0 s',
      '59.9 s',
      '1 min 0 s',
      '59 min 59 s',
      '1 h 0 min',
      '25 h 1 min',
    ]);
    expect([showCount(0, 'file'), showCount(1, 'file'), showCount(1234, 'file')]).to.deep.equal([
      '0 files',
      '1 file',
      '1,234 files',
    ]);
  });
});
