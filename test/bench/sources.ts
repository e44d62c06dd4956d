/** What is backed up in benchmarks. */
import { createCipheriv } from 'node:crypto';
import { cp, lstat, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { root } from '../e2e/harness.js';

const MiB = 1024 * 1024;

/** Files, and their bytes. */
export interface Size {
  readonly files: number;
  readonly bytes: number;
}

/** Writes bytes that do not compress, the same ones each time. */
export async function writePseudoRandom(path: string, sizeMiB: number): Promise<void> {
  const file = await open(path, 'wx');
  try {
    for (const piece of pseudoRandom(1, sizeMiB)) await file.writeFile(piece);
  } finally {
    await file.close();
  }
}

/**
 * Edits such a file: in its middle, some of its bytes make place for as many others and a few more, so that all behind
 * them moves.
 */
export async function editInside(path: string, editedMiB: number): Promise<void> {
  const file = await open(path, 'r+');
  try {
    const { size } = await file.stat();
    const from = Math.floor(size / 2);
    const behind = Buffer.alloc(size - from - editedMiB * MiB);
    await file.read(behind, 0, behind.length, size - behind.length);
    let at = from;
    for (const piece of [...pseudoRandom(2, editedMiB), Buffer.alloc(1000, 7), behind]) {
      await file.write(piece, 0, piece.length, at);
      at += piece.length;
    }
  } finally {
    await file.close();
  }
}

/** Copies a tree of real sources: what this project's dependencies consist of. */
export async function copySourceTree(path: string): Promise<void> {
  await cp(join(root, 'node_modules'), path, { recursive: true, verbatimSymlinks: true });
}

/** How much is in a directory. */
export async function sizeOf(directory: string): Promise<Size> {
  let [files, bytes] = [0, 0];
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    files += 1;
    bytes += (await lstat(join(entry.parentPath, entry.name))).size;
  }
  return { files, bytes };
}

function* pseudoRandom(seed: number, sizeMiB: number): Generator<Buffer> {
  const stream = createCipheriv('aes-128-ctr', Buffer.alloc(16, seed), Buffer.alloc(16));
  const zeros = Buffer.alloc(MiB);
  for (let done = 0; done < sizeMiB; done += 1) yield stream.update(zeros);
}
