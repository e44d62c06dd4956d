/** What the end-to-end tests have in common: what they store, and what they expect of a program that refuses. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from 'chai';

import { seededRandom } from '../../src/base/random.js';
import type { ExitCode } from '../../src/cli/exit-codes.js';
import type { Inviter } from './harness.js';
import type { Ended } from './processes.js';

export const KiB = 1024;
export const MiB = 1024 * KiB;

export const isRoot = process.geteuid?.() === 0;

/** Runs a program as somebody whom permissions stop: root loses the right to pass them by. */
export const heedingPermissions: readonly string[] = isRoot
  ? ['setpriv', ...['--bounding-set', '--inh-caps'].map((set) => `${set}=-dac_override,-dac_read_search`)]
  : [];

/** Whether {@link heedingPermissions} works here. */
export function canHeedPermissions(): boolean {
  const [program, ...args] = heedingPermissions;
  return program === undefined || spawnSync(program, [...args, 'true']).status === 0;
}

/** Makes a directory with files that neither compress nor share anything. @returns its path. */
export function randomFiles(directory: string, count: number, sizeBytes: number, seed = 1): string {
  const random = seededRandom(seed);
  mkdirSync(directory, { recursive: true });
  for (let number = 0; number < count; number += 1) {
    writeFileSync(join(directory, `file ${number}`), random.bytes(sizeBytes));
  }
  return directory;
}

/** The blocks in a peer's data path: id to size. */
export function blocksOf(peer: Inviter): ReadonlyMap<string, number> {
  const blocks = new Map<string, number>();
  const directory = join(peer.dataPath, 'blocks');
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
    const id = name.split('/').at(-1)!;
    if (!/^[0-9a-f]{64}$/.test(id)) continue;
    blocks.set(id, statSync(join(directory, name)).size);
  }
  return blocks;
}

/** A program refused in the way that people can use: this code, one line that says all of this, and no stack trace. */
export function expectRefusal(end: Ended, code: ExitCode, ...says: readonly RegExp[]): void {
  expect(end.stderr).to.match(/^peerstore-(client|server): [^\n]+\n$/, 'one line on stderr');
  for (const pattern of says) expect(end.stderr).to.match(pattern);
  expect({ code: end.code, stdout: end.stdout }).to.deep.equal({ code, stdout: '' });
}

/** Skips a test, and says why in its name. */
export function skipBecause(context: Mocha.Context, reason: string): never {
  if (context.test !== undefined) context.test.title += ` (skipped: ${reason})`;
  return context.skip();
}
