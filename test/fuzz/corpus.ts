/** Inputs that are kept in the tree, by what reads them. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { root } from '../e2e/harness.js';

/** Inputs that were found before, and are read first: what was once a finding stays mended. */
export function corpusOf(target: string): readonly Uint8Array[] {
  const directory = corpusDirectory(target);
  if (!existsSync(directory)) return [];
  return readdirSync(directory)
    .sort()
    .map((name) => readFileSync(join(directory, name)));
}

/** Adds inputs to the corpus. @returns the path of the last one. */
export function addToCorpus(target: string, inputs: readonly Uint8Array[]): string {
  const directory = corpusDirectory(target);
  mkdirSync(directory, { recursive: true });
  let path = directory;
  for (const input of inputs) {
    path = join(directory, createHash('sha256').update(input).digest('hex').slice(0, 16));
    writeFileSync(path, input);
  }
  return path;
}

function corpusDirectory(target: string): string {
  return join(root, 'test/fuzz/corpus', target);
}
