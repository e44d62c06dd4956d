/** The programs that are held against each other, each with a place of its own to back up to. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import type { Lab } from '../e2e/harness.js';
import { LocalRing, run as runCommand } from './programs.js';
import { sizeOf } from './sources.js';

/** Where a program backs up to. Nothing is stored at first. */
export interface Opened {
  backup(source: string): Promise<unknown>;
  /** Recreates the latest backup below a directory that is not there. */
  restore(target: string): Promise<unknown>;
  /** What is stored, one copy of it. */
  storedBytes(): Promise<number>;
  /** The most memory that the client and any peer took so far; where it is known. */
  end?(): Promise<{ readonly clientBytes: number; readonly peerBytes: number }>;
}

export interface Contender {
  readonly name: string;
  /** Synced copies of all data, over TLS; undefined for one in a local directory. */
  readonly replicas?: number;
  open(lab: Lab): Promise<Opened>;
}

/** Us. One copy is what a ring of one peer keeps. */
function peerstore(replicas: number): Contender {
  return {
    name: `peerstore r=${replicas}`,
    replicas,
    open: async (lab) => {
      const ring = await LocalRing.start(lab, replicas);
      let clientBytes = 0;
      const client = async (args: readonly string[]): Promise<void> => {
        const { usage } = await ring.client(args);
        clientBytes = Math.max(clientBytes, usage.peakBytes);
      };
      return {
        backup: (source) => client(['backup', source, '--quiet']),
        restore: (target) => client(['restore', '--target', target, '--quiet']),
        storedBytes: async () => {
          const held = await Promise.all(ring.peers.map(({ dataPath }) => sizeOf(join(dataPath, 'blocks'))));
          return held.reduce((sum, { bytes }) => sum + bytes, 0) / replicas;
        },
        end: async () => {
          const peers = await ring.stop();
          return { clientBytes, peerBytes: Math.max(...peers.map(({ peakBytes }) => peakBytes)) };
        },
      };
    },
  };
}

const restic: Contender = {
  name: 'restic',
  open: async (lab) => {
    const repository = lab.path('repository');
    const env = { RESTIC_PASSWORD: 'bench', RESTIC_CACHE_DIR: lab.path('cache') };
    const at = ['--quiet', '--repo', repository];
    await runCommand('restic', [...at, 'init'], env);
    return {
      backup: (source) => runCommand('restic', [...at, 'backup', source], env),
      restore: (target) => runCommand('restic', [...at, 'restore', 'latest', '--target', target], env),
      storedBytes: async () => (await sizeOf(repository)).bytes,
    };
  },
};

const borg: Contender = {
  name: 'borg',
  open: async (lab) => {
    const repository = lab.path('repository');
    const env = { BORG_PASSPHRASE: 'bench', BORG_BASE_DIR: lab.path('home') };
    await runCommand('borg', ['init', '--encryption', 'repokey-blake2', repository], env);
    let runs = 0;
    return {
      backup: (source) => runCommand('borg', ['create', `${repository}::run${++runs}`, source], env),
      restore: async (target) => {
        await mkdir(target);
        await runCommand('borg', ['extract', `${repository}::run${runs}`], env, target);
      },
      storedBytes: async () => (await sizeOf(repository)).bytes,
    };
  },
};

/** Those that are installed. Ours come first. */
export async function contenders(): Promise<readonly Contender[]> {
  const all = [peerstore(1), peerstore(3), restic, borg];
  const isThere = await Promise.all(
    all.map(async ({ name, replicas }) => replicas !== undefined || (await isInstalled(name))),
  );
  return all.filter((_, at) => isThere[at]);
}

function isInstalled(program: string): Promise<boolean> {
  return runCommand('sh', ['-c', 'command -v "$0"', program]).then(
    () => true,
    () => false,
  );
}
