import { spawnSync } from 'node:child_process';
import { delimiter, join } from 'node:path';

import { expect } from 'chai';

import { root } from './harness.js';
import { skipBecause } from './support.js';

const env = { ...process.env, PATH: `${join(root, 'bin')}${delimiter}${process.env['PATH'] ?? ''}` };

/** What a shell prints for a script. @returns undefined where there is no such shell. */
function outputOf(shell: string, script: string): readonly string[] | undefined {
  const { error, stdout, stderr } = spawnSync(shell, ['-c', script], { env, cwd: root, encoding: 'utf8' });
  if (error !== undefined) return undefined;
  expect(stderr).to.equal('');
  return stdout.split('\n').filter((line) => line !== '');
}

describe('peerstore-client completion', function () {
  this.timeout(300_000);

  const bash = (...words: readonly string[]): readonly string[] | undefined =>
    outputOf(
      'bash',
      `source <(peerstore-client completion bash); COMP_WORDS=(peerstore-client ${words.join(' ')}); ` +
        `COMP_CWORD=${words.length}; _peerstore_client; printf '%s\\n' "\${COMPREPLY[@]}"`,
    );
  const fish = (line: string): readonly string[] | undefined =>
    outputOf('fish', `peerstore-client completion fish | source; complete -C '${line}'`);

  it('completes commands, options and choices in bash, and leaves the rest to files', function () {
    if (bash() === undefined) skipBecause(this, 'there is no bash here');
    expect(bash('res')).to.deep.equal(['restore']);
    expect(bash('restore', '--ov')).to.deep.equal(['--overwrite']);
    expect(bash('restore', '--overwrite', 'if')).to.deep.equal(['if-changed']);
    expect(bash('backup', "''")).to.deep.equal([]);
  });

  it('does in fish, with what each is for', function () {
    if (fish('') === undefined) skipBecause(this, 'there is no fish here');
    expect(fish('peerstore-client res')).to.deep.equal([
      'restore\trecreates a snapshot, or SNAPSHOT:PATH, below a directory',
    ]);
    expect(fish('peerstore-client restore --ov')).to.deep.equal([
      '--overwrite\twhat to do with what is there already',
    ]);
    expect(fish('peerstore-client backup READ')).to.deep.equal(['README.md']);
  });

  it('gives zsh a script that it can read', function () {
    const checked = outputOf('zsh', 'peerstore-client completion zsh | zsh -n');
    if (checked === undefined) skipBecause(this, 'there is no zsh here');
    expect(checked).to.deep.equal([]);
  });
});
