/** Five peers that hold so much each, and how long it takes until all copies are where they are to be. */
import { rm } from 'node:fs/promises';

import { type Lab, type Peer, succeeded } from '../e2e/harness.js';
import { until } from '../e2e/processes.js';
import { plainMibPerSecond } from './plain-copy.js';
import { inLab } from './programs.js';
import { writePseudoRandom } from './sources.js';

const MiB = 1024 * 1024;
const count = 5;
const copies = 3;
const options = { args: ['--repair-after', '1s', '--log-level', 'warn'] };
const patienceMs = 3_600_000;

/** What making copies took. */
export interface Moved {
  /** From the event until nothing is short, and nobody has anything to hand over. */
  readonly seconds: number;
  /** From the first byte that was moved until the last one. */
  readonly movingSeconds: number;
  readonly movedMiB: number;
  readonly mibPerSecond: number;
}

export class FilledRing {
  readonly #lab: Lab;
  #peers: readonly Peer[];

  private constructor(lab: Lab, peers: readonly Peer[]) {
    this.#lab = lab;
    this.#peers = peers;
  }

  /** Starts a ring and has a user back up as much as fills each peer with about so much. */
  static async start(lab: Lab, mibAPeer: number): Promise<FilledRing> {
    const ring = new FilledRing(lab, await lab.ring(count, options));
    const source = lab.path('source.bin');
    await writePseudoRandom(source, Math.round((mibAPeer * count) / copies));
    const user = await lab.user('user', ring.#founder);
    succeeded(await user.run(['backup', source, '--quiet']));
    await rm(source);
    await ring.#untilWhole();
    return ring;
  }

  get #founder(): Peer {
    const [founder] = this.#peers;
    if (founder === undefined) throw new Error('a ring has a founder');
    return founder;
  }

  /** The last peer and its disk are gone. */
  async lose(): Promise<Moved> {
    const lost = this.#peers.at(-1)!;
    return this.#measured(async () => {
      lost.kill('SIGKILL');
      await lost.ended;
      await rm(lost.dataPath, { recursive: true });
      this.#peers = this.#peers.filter((peer) => peer !== lost);
    });
  }

  /** Another peer comes. */
  async join(): Promise<Moved> {
    return this.#measured(async () => {
      const peer = await this.#lab.peer('newcomer', { ...options, join: this.#founder });
      this.#peers = [...this.#peers, peer];
    });
  }

  async #measured(event: () => Promise<void>): Promise<Moved> {
    const startedMs = performance.now();
    const before = await this.#movedBytes();
    await event();
    const { firstMs, lastMs } = await this.#untilWhole(before);
    const movedBytes = (await this.#movedBytes()) - before;
    const movingSeconds = (lastMs - firstMs) / 1000;
    const round = (value: number): number => Math.round(value * 10) / 10;
    return {
      seconds: round((performance.now() - startedMs) / 1000),
      movingSeconds: round(movingSeconds),
      movedMiB: Math.round(movedBytes / MiB),
      mibPerSecond: Math.round(movedBytes / MiB / movingSeconds),
    };
  }

  async #movedBytes(): Promise<number> {
    const seen = await Promise.all(this.#peers.map((peer) => this.#lab.status(peer)));
    return seen.reduce((sum, { repairedBytes }) => sum + repairedBytes, 0);
  }

  /** Waits until nothing is short and nothing is moved any more. @returns when bytes were first and last moved. */
  async #untilWhole(before = 0): Promise<{ readonly firstMs: number; readonly lastMs: number }> {
    const since = new Date().toISOString();
    let moved = before;
    let firstMs = performance.now();
    let lastMs = firstMs;
    await until(
      'all copies to be where they are to be',
      async () => {
        const seen = await Promise.all(this.#peers.map((peer) => this.#lab.status(peer)));
        const nowMoved = seen.reduce((sum, { repairedBytes }) => sum + repairedBytes, 0);
        if (nowMoved > moved) {
          if (moved === before) firstMs = performance.now();
          moved = nowMoved;
          lastMs = performance.now();
        }
        return seen.every(
          ({ keysShort, keysLookedAt, successors }) =>
            keysShort === 0 &&
            keysLookedAt !== null &&
            keysLookedAt > since &&
            successors.length === this.#peers.length - 1,
        );
      },
      patienceMs,
    );
    return { firstMs, lastMs };
  }
}

/**
 * What happens to a ring of the size that the command line asks for, in MiB a peer, beside what copying a file between two
 * processes does in the same run.
 */
export function besidePlainCopying(
  event: (ring: FilledRing) => Promise<Moved>,
): Promise<Record<string, unknown>> {
  const mibAPeer = Number(process.argv[3] ?? 2048);
  return inLab(async (lab) => {
    const plain = await plainMibPerSecond((name) => lab.path(name), Math.min(mibAPeer, 1024));
    const moved = await event(await FilledRing.start(lab, mibAPeer));
    const ratio = Math.round((moved.mibPerSecond / plain) * 100) / 100;
    return { mibAPeer, ...moved, plainMibPerSecond: plain, ratio, goalRatio: 0.5 };
  });
}
