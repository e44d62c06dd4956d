import { expect } from 'chai';
import fc from 'fast-check';

import { toHex, utf8 } from '../../src/base/bytes.js';
import { hasCode } from '../../src/base/errors.js';
import { printablePath } from '../../src/base/paths.js';
import { compileGlobs, snapshotAndPath, typedPath } from '../../src/cli/paths.js';

const isUsage = (action: () => unknown): boolean => {
  try {
    action();
  } catch (error) {
    return hasCode(error, 'USAGE');
  }
  return false;
};

describe('paths on a command line', () => {
  for (const [text, hex] of [
    ['/a b', '2f612062'],
    ['ü', 'c3bc'],
    ['\\xff\\x00', 'ff00'],
    ['a\\\\b', '615c62'],
    ['a\\b', '615c62'],
    ['\\\\xff', '5c786666'],
    ['\\xf', '5c7866'],
    ['', ''],
  ] as const) {
    it(`"${text}" is the bytes ${hex}`, () => expect(toHex(typedPath(text))).to.equal(hex));
  }

  it('a path as it is shown, typed, is the path again', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        expect(toHex(typedPath(printablePath(bytes)))).to.equal(toHex(bytes));
      }),
    );
    for (const text of ['new\nline', 'back\\slash', 'ünï', 'a\u2028b', '\u{1f5c2}'])
      expect(toHex(typedPath(printablePath(utf8(text))))).to.equal(toHex(utf8(text)));
  });

  it('SNAPSHOT:PATH is taken apart at its first colon', () => {
    const cases = [
      [undefined, 'latest', undefined],
      ['abc', 'abc', undefined],
      ['abc:/x', 'abc', '/x'],
      ['latest:a:b', 'latest', 'a:b'],
      [':/x', 'latest', '/x'],
    ] as const;
    for (const [text, snapshot, path] of cases)
      expect(snapshotAndPath(text)).to.deep.equal({ snapshot, path });
    expect(isUsage(() => snapshotAndPath('abc:'))).to.equal(true);
  });
});

describe('globs', () => {
  const matches = (glob: string, path: string | Uint8Array, isDirectory = false): boolean =>
    compileGlobs([glob])(typeof path === 'string' ? utf8(path) : path, isDirectory);

  for (const [glob, path, expected] of [
    ['*.o', '/src/a.o', true],
    ['*.o', '/src/a.o/b', false],
    ['*.o', '/.hidden.o', true],
    ['node_modules', '/home/x/node_modules', true],
    ['src/*.o', '/home/src/a.o', true],
    ['src/*.o', '/home/src/b/a.o', false],
    ['src/**/*.o', '/home/src/b/c/a.o', true],
    ['/src/*.o', '/src/a.o', true],
    ['/src/*.o', '/home/src/a.o', false],
    ['//src', '/src', true],
    ['{a,b}.txt', '/x/b.txt', true],
    ['[a-c]?', '/x/b9', true],
    ['*.O', '/src/a.o', false],
    ['a.o', 'a.o', true],
    ['!a', '/x/!a', true],
  ] as const) {
    it(`${glob} ${expected ? 'matches' : 'does not match'} ${path}`, () =>
      expect(matches(glob, path)).to.equal(expected));
  }

  it('with a slash at their end match directories only', () => {
    expect(matches('cache/', '/a/cache', true)).to.equal(true);
    expect(matches('cache/', '/a/cache', false)).to.equal(false);
  });

  it('match names that are not UTF-8', () => {
    expect(matches('*.bin', Buffer.concat([utf8('/a/'), Buffer.from([0xff]), utf8('.bin')]))).to.equal(true);
    expect(matches('*.txt', Buffer.concat([utf8('/a/'), Buffer.from([0xff]), utf8('.bin')]))).to.equal(false);
  });

  it('that match nothing or are no globs are refused', () => {
    for (const glob of ['', ' ', '/', '//', 'x'.repeat(70_000)])
      expect(
        isUsage(() => compileGlobs([glob])),
        glob.slice(0, 5),
      ).to.equal(true);
  });
});
