/** The real programs on a ring of their own, each process with the figures of what it has used. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { type Client, Lab, type Peer, succeeded } from '../e2e/harness.js';
import { start } from '../e2e/processes.js';
import type { Usage } from './usage.js';

const usageModule = new URL('./usage.js', import.meta.url).href;

/** A program that has ended. */
export interface Measured {
  readonly seconds: number;
  readonly usage: Usage;
}

/** Does something in a lab, and clears it away whatever comes. */
export async function inLab<T>(work: (lab: Lab) => Promise<T>): Promise<T> {
  const lab = new Lab();
  try {
    return await work(lab);
  } finally {
    await lab.close();
  }
}

/** Peers and one user. */
export class LocalRing {
  readonly peers: readonly Peer[];
  readonly #lab: Lab;
  readonly #client: Client;
  readonly #usageFiles: readonly string[];
  #runs = 0;

  private constructor(lab: Lab, client: Client, peers: readonly Peer[], usageFiles: readonly string[]) {
    this.#lab = lab;
    this.#client = client;
    this.peers = peers;
    this.#usageFiles = usageFiles;
  }

  /** Starts a ring in a lab. */
  static async start(lab: Lab, count: number): Promise<LocalRing> {
    const usageFiles = Array.from({ length: count }, (_, at) => lab.path(`peer${at}.usage`));
    let founder: Peer | undefined;
    const peers: Peer[] = [];
    for (const [at, usageFile] of usageFiles.entries()) {
      const env = measuring(usageFile);
      peers.push(await lab.peer(`peer${at}`, founder === undefined ? { env } : { env, join: founder }));
      founder ??= peers[0];
    }
    if (founder === undefined) throw new Error('a ring has at least one peer');
    return new LocalRing(lab, await lab.user('user', founder), peers, usageFiles);
  }

  /** The user's key file. */
  get keyFile(): string {
    return join(this.#client.home, '.config/peerstore/user.key');
  }

  /** Runs peerstore-client as the user. @throws Error when it does not end with 0. */
  async client(args: readonly string[]): Promise<Measured> {
    const usageFile = this.#lab.path(`client${++this.#runs}.usage`);
    const since = performance.now();
    succeeded(await this.#client.run(args, measuring(usageFile)));
    return { seconds: (performance.now() - since) / 1000, usage: await readUsage(usageFile) };
  }

  /** Stops the peers in good order. @returns what each has used. */
  async stop(): Promise<readonly Usage[]> {
    for (const peer of this.peers) peer.kill('SIGTERM');
    for (const peer of this.peers) succeeded(await peer.ended);
    return Promise.all(this.#usageFiles.map(readUsage));
  }
}

function measuring(usageFile: string): NodeJS.ProcessEnv {
  return { NODE_OPTIONS: `--import=${usageModule}`, PEERSTORE_USAGE_FILE: usageFile };
}

async function readUsage(path: string): Promise<Usage> {
  return JSON.parse(await readFile(path, 'utf8')) as Usage;
}

/** Runs a program that is not ours to its end. @throws Error when it does not end with 0, with what it said. */
export async function run(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
  cwd = process.cwd(),
): Promise<void> {
  const { ended } = await start([program, ...args], { env: { ...process.env, ...env }, cwd });
  succeeded(await ended);
}

/** The middle one of some figures. */
export function median(figures: readonly number[]): number {
  const sorted = [...figures].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}
