import { expect } from 'chai';

import { PeerStoreError } from '../../src/base/errors.js';
import { addressToCall, canonicalAddress, formatAddress, parseAddress } from '../../src/wire/address.js';

describe('addresses', () => {
  for (const [text, host, port] of [
    [':3001', '', 3001],
    ['host:3001', 'host', 3001],
    ['a.b-c.example:1', 'a.b-c.example', 1],
    ['127.0.0.1:65535', '127.0.0.1', 65_535],
    ['[::1]:3001', '::1', 3001],
    ['[fe80::1%eth0]:0', 'fe80::1%eth0', 0],
  ] as const) {
    it(`reads ${text} and writes it again`, () => {
      expect(parseAddress(text)).to.deep.equal({ host, port });
      expect(formatAddress(parseAddress(text))).to.equal(text);
    });
  }

  const long = `${'a'.repeat(260)}:1`;
  for (const text of [
    '',
    ':',
    'host',
    'host:',
    ':65536',
    ':-1',
    ':1x',
    '::1:3001',
    '[]:1',
    '[host]:1',
    'a b:1',
    'http://a:1',
    long,
  ]) {
    it(`refuses "${text.slice(0, 20)}"`, () => {
      expect(() => parseAddress(text))
        .to.throw(PeerStoreError)
        .with.property('code', 'USAGE');
    });
  }

  it('calls this machine for an empty host, and nobody at port 0', () => {
    expect(addressToCall(':1')).to.deep.equal({ host: 'localhost', port: 1 });
    expect(canonicalAddress(':1')).to.equal('localhost:1');
    expect(() => addressToCall('host:0')).to.throw(PeerStoreError, 'port 0');
  });
});
