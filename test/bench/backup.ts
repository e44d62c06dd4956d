/**
 * The whole way with the real programs: three peers, three copies of everything, all on this machine. A large file that
 * does not compress, and a tree of small ones; each backed up, backed up again unchanged, and restored.
 *
 * Where restic and Borg are installed they do the same with a repository in a local directory. They keep one copy and
 * send nothing over a network: what they take is what a backup costs at the least.
 */
import { createCipheriv } from 'node:crypto';
import { mkdir, open, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { compareTrees } from '../fixtures/compare-trees.js';
import type { Lab } from '../e2e/harness.js';
import { inLab, LocalRing, median, run as runCommand } from './programs.js';

const MiB = 1024 * 1024;
const largeMiB = 512;
const smallFiles = 3000;
const rounds = 3;
const peers = 3;

/** Seconds that each step took. */
interface Times {
  readonly first: number;
  readonly again: number;
  readonly restore: number;
}

/** Something that backs up. Each call of `open` begins with nothing stored. */
interface Program {
  readonly name: string;
  /** Copies of the data on this machine's disk. */
  readonly copies: number;
  open(lab: Lab): Promise<{
    backup(source: string): Promise<unknown>;
    restore(target: string): Promise<unknown>;
  }>;
}

const peerstore: Program = {
  name: 'peerstore',
  copies: peers,
  open: async (lab) => {
    const ring = await LocalRing.start(lab, peers);
    return {
      backup: (source) => ring.client(['backup', source, '--quiet']),
      restore: (target) => ring.client(['restore', '--target', target, '--quiet']),
    };
  },
};

const restic: Program = {
  name: 'restic',
  copies: 1,
  open: async (lab) => {
    const env = { RESTIC_PASSWORD: 'bench', RESTIC_CACHE_DIR: lab.path('cache') };
    const at = ['--quiet', '--repo', lab.path('repository')];
    await runCommand('restic', [...at, 'init'], env);
    return {
      backup: (source) => runCommand('restic', [...at, 'backup', source], env),
      restore: (target) => runCommand('restic', [...at, 'restore', 'latest', '--target', target], env),
    };
  },
};

const borg: Program = {
  name: 'borg',
  copies: 1,
  open: async (lab) => {
    const env = { BORG_PASSPHRASE: 'bench', BORG_BASE_DIR: lab.path('home') };
    const repository = lab.path('repository');
    await runCommand('borg', ['init', '--encryption', 'repokey-blake2', repository], env);
    let runs = 0;
    return {
      backup: (source) => runCommand('borg', ['create', `${repository}::run${++runs}`, source], env),
      restore: async (target) => {
        await mkdir(target);
        await runCommand('borg', ['extract', `${repository}::run${runs}`], env, target);
      },
    };
  },
};

/** Measures the figures of each program that is there: medians of a few rounds. */
export async function run(): Promise<Record<string, unknown>> {
  return inLab(async (lab) => {
    const sources = {
      large: { path: lab.path('large'), sizeMiB: largeMiB },
      small: { path: lab.path('small'), sizeMiB: 0 },
    };
    await makeLargeFile(sources.large.path);
    sources.small.sizeMiB = (await makeSmallFiles(sources.small.path)) / MiB;
    const figures: Record<string, unknown> = {
      largeMiB,
      smallFiles,
      smallMiB: Math.round(sources.small.sizeMiB),
    };
    for (const program of [peerstore, ...(await installed([restic, borg]))]) {
      for (const [what, { path, sizeMiB }] of Object.entries(sources)) {
        const times: Times[] = [];
        for (let round = 0; round < rounds; round += 1) times.push(await once(program, path));
        figures[`${program.name} ${what}`] = summary(times, sizeMiB, program.copies);
      }
    }
    return figures;
  });
}

/** Everything from the beginning, in a lab of its own. */
function once(program: Program, source: string): Promise<Times> {
  return inLab(async (lab) => {
    const opened = await program.open(lab);
    const target = lab.path('restored');
    const first = await secondsOf(() => opened.backup(source));
    const again = await secondsOf(() => opened.backup(source));
    const restore = await secondsOf(() => opened.restore(target));
    const differences = await compareTrees(source, join(target, source));
    if (differences.length > 0) throw new Error(`${program.name} restored it otherwise: ${differences[0]}`);
    return { first, again, restore };
  });
}

function summary(times: readonly Times[], sizeMiB: number, copies: number): Record<string, number> {
  const round = (value: number): number => Math.round(value * 100) / 100;
  const first = median(times.map((time) => time.first));
  const restore = median(times.map((time) => time.restore));
  return {
    copies,
    firstSeconds: round(first),
    againSeconds: round(median(times.map((time) => time.again))),
    restoreSeconds: round(restore),
    firstMiBs: Math.round(sizeMiB / first),
    restoreMiBs: Math.round(sizeMiB / restore),
  };
}

async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const since = performance.now();
  await work();
  return (performance.now() - since) / 1000;
}

async function installed(programs: readonly Program[]): Promise<readonly Program[]> {
  const found = await Promise.all(
    programs.map(({ name }) =>
      runCommand('sh', ['-c', 'command -v "$0"', name]).then(
        () => true,
        () => false,
      ),
    ),
  );
  return programs.filter((_, at) => found[at]);
}

/** A directory with one file of bytes that do not compress. */
async function makeLargeFile(path: string): Promise<void> {
  await mkdir(path);
  await writePseudoRandom(join(path, 'large.bin'), largeMiB);
}

/** Writes bytes that do not compress, the same ones each time. */
export async function writePseudoRandom(path: string, sizeMiB: number): Promise<void> {
  const stream = createCipheriv('aes-128-ctr', Buffer.alloc(16, 1), Buffer.alloc(16));
  const zeros = Buffer.alloc(MiB);
  const file = await open(path, 'wx');
  try {
    for (let done = 0; done < sizeMiB; done += 1) await file.writeFile(stream.update(zeros));
  } finally {
    await file.close();
  }
}

/**
 * A tree like a source tree: files of this project's own packages, over and over, each a little different.
 * @returns its bytes
 */
async function makeSmallFiles(path: string): Promise<number> {
  const text = await readFile(new URL('../../../package-lock.json', import.meta.url));
  let bytes = 0;
  for (let number = 0; number < smallFiles; number += 1) {
    const directory = join(path, `package${number % 60}`, `part${number % 7}`);
    await mkdir(directory, { recursive: true });
    // From a few hundred bytes to a few hundred KiB, most of them small.
    const wanted = Math.round(400 * 1.0021 ** number);
    const start = (number * 7919) % Math.max(1, text.length - 1000);
    const piece = Buffer.alloc(wanted, text.subarray(start, start + wanted));
    const file = join(directory, `file${number}.ts`);
    await writeFile(file, `// ${number}\n${piece.toString('latin1')}`);
    bytes += (await stat(file)).size;
  }
  return bytes;
}
