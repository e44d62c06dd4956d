import { expect } from 'chai';
import fc from 'fast-check';

import { utf8 } from '../../src/base/bytes.js';
import { absolutePath, isPlainName, joinPath, pathComponents, printablePath } from '../../src/base/paths.js';

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

describe('paths', () => {
  for (const [cwd, path, expected] of [
    ['/w', '/', '/'],
    ['/w', '/a/b', '/a/b'],
    ['/w', '//a///b//', '/a/b'],
    ['/w', 'a', '/w/a'],
    ['/w/', './a/.', '/w/a'],
    ['/w/x', '../a', '/w/a'],
    ['/w', '../../../a', '/a'],
    ['/w', '/..', '/'],
    ['/w', '.', '/w'],
    ['/', 'a', '/a'],
    ['/w', '...', '/w/...'],
  ] as const) {
    it(`${path} at ${cwd} is ${expected}`, () => {
      expect(text(absolutePath(pathComponents(utf8(cwd), utf8(path))))).to.equal(expected);
    });
  }

  it('joins without doubling a slash, and to nothing', () => {
    expect(text(joinPath(utf8('/'), utf8('a')))).to.equal('/a');
    expect(text(joinPath(utf8('/a'), utf8('b')))).to.equal('/a/b');
    expect(text(joinPath(utf8(''), utf8('b')))).to.equal('b');
  });

  for (const name of ['', '.', '..', '/', 'a/b', '/a', 'a/', '../a', '\0', 'a\0b']) {
    it(`does not take ${JSON.stringify(name)} for a name`, () => {
      expect(isPlainName(utf8(name))).to.equal(false);
    });
  }

  for (const name of ['a', '...', '..a', ' ', '-', '\n', '\\', '\xff']) {
    it(`takes ${JSON.stringify(name)} for a name`, () => {
      expect(isPlainName(Buffer.from(name, 'latin1'))).to.equal(true);
    });
  }

  it('shows any path on one line, and different paths differently', () => {
    expect(printablePath(utf8('/ü/名前 x'))).to.equal('/ü/名前 x');
    expect(printablePath(utf8('a\nb\x1b[0m\\'))).to.equal('a\\x0ab\\x1b[0m\\\\');
    expect(printablePath(Buffer.from([0x61, 0xff, 0x0a]))).to.equal('a\\xff\\x0a');
    expect(printablePath(utf8('a\u202eb'))).to.equal('a\\xe2\\x80\\xaeb');
    const anyBytes = fc.uint8Array({ maxLength: 12 });
    fc.assert(
      fc.property(anyBytes, anyBytes, (a, b) => {
        expect(printablePath(a)).to.match(/^\P{C}*$/u);
        expect(printablePath(a) === printablePath(b)).to.equal(Buffer.from(a).equals(b));
      }),
    );
  });
});
