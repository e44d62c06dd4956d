import { chmodSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from 'chai';

import { settingsOf, type CommonArguments } from '../../src/cli/client/context.js';
import { cacheDirectory, configDirectory, loadConfig, saveConfig } from '../../src/cli/config.js';
import { codeOf } from '../archive/support.js';
import { temporaryDirectory } from '../fixtures/temporary.js';
import { fakeConsole } from './fake-console.js';

const noArguments: CommonArguments = {
  peerAddr: undefined,
  peerKeyFile: undefined,
  selfKeyFile: undefined,
  passphraseFile: undefined,
  limitUpload: undefined,
  limitDownload: undefined,
  json: false,
  quiet: false,
  progress: true,
};

describe('configuration', () => {
  const temporary = temporaryDirectory();
  const env = (): Record<string, string> => ({ HOME: temporary() });
  const file = (): string => join(temporary(), '.config/peerstore/config.json');

  it('is where the environment says; an empty variable says nothing', () => {
    expect(configDirectory({ HOME: '/h' })).to.equal('/h/.config/peerstore');
    expect(configDirectory({ HOME: '/h', XDG_CONFIG_HOME: '' })).to.equal('/h/.config/peerstore');
    expect(configDirectory({ HOME: '/h', XDG_CONFIG_HOME: '/c' })).to.equal('/c/peerstore');
    expect(cacheDirectory({ HOME: '/h', PEERSTORE_CACHE_DIR: '' })).to.equal('/h/.cache/peerstore');
    expect(cacheDirectory({ HOME: '/h', XDG_CACHE_HOME: '/c' })).to.equal('/c/peerstore');
    expect(cacheDirectory({ HOME: '/h', PEERSTORE_CACHE_DIR: '/p', XDG_CACHE_HOME: '/c' })).to.equal('/p');
  });

  it('comes back as it was saved, for its owner only', async () => {
    const config = { selfKeyFile: '/k', peerAddrs: ['a:1', 'b:2'], peerKeyFile: '/p' };
    await saveConfig(env(), config);
    expect(await loadConfig(env())).to.deep.equal(config);
    expect(statSync(file()).mode & 0o777).to.equal(0o600);
    expect(statSync(join(temporary(), '.config/peerstore')).mode & 0o777).to.equal(0o700);
    expect(await loadConfig({ HOME: '/nonexistent' })).to.deep.equal({});
  });

  it('that cannot be read or written is said with its path, as wrong usage', async () => {
    mkdirSync(join(temporary(), '.config/peerstore'), { recursive: true });
    for (const text of ['', 'not JSON', 'null']) {
      writeFileSync(file(), text);
      expect(await codeOf(loadConfig(env())), text).to.equal('USAGE');
    }
    writeFileSync(file(), '{"selfKeyFile":7,"peerAddrs":["a:1",3],"more":1}');
    expect(await loadConfig(env())).to.deep.equal({ peerAddrs: ['a:1'] });
    const inTheWay = join(temporary(), 'file');
    writeFileSync(inTheWay, '');
    chmodSync(inTheWay, 0o600);
    expect(await codeOf(saveConfig({ HOME: inTheWay }, {}))).to.equal('USAGE');
    expect(await codeOf(loadConfig({ XDG_CONFIG_HOME: inTheWay }))).to.equal('USAGE');
  });

  it('gives way to the environment, and that to the options', async () => {
    const own = { selfKeyFile: '/config', peerAddrs: ['config:1'], peerKeyFile: '/config.pem' };
    await saveConfig(env(), own);
    const of = (more: Record<string, string>, args: Partial<CommonArguments> = {}) =>
      settingsOf({ ...noArguments, ...args }, fakeConsole({ ...env(), ...more }));
    expect(await of({})).to.include({ selfKeyFile: '/config', peerKeyFile: '/config.pem' });
    const environment = { PEERSTORE_SELF_KEY_FILE: '/env', PEERSTORE_PEER_ADDR: 'env:1, env:2' };
    expect(await of(environment)).to.deep.include({
      selfKeyFile: '/env',
      peerAddrs: ['env:1', 'env:2'],
      peerKeyFile: undefined,
    });
    const args = { selfKeyFile: '/option', peerAddr: ['option:1'], peerKeyFile: '/option.pem' };
    expect(await of(environment, args)).to.deep.include({
      selfKeyFile: '/option',
      peerAddrs: ['option:1'],
      peerKeyFile: '/option.pem',
    });
    expect(await of({ PEERSTORE_SELF_KEY_FILE: '', PEERSTORE_PEER_ADDR: '' })).to.deep.include({
      selfKeyFile: '/config',
      peerAddrs: ['config:1'],
      peerKeyFile: '/config.pem',
    });
    expect((await settingsOf(noArguments, fakeConsole({ HOME: '/none' }))).selfKeyFile).to.equal(
      '/none/.config/peerstore/user.key',
    );
  });
});
