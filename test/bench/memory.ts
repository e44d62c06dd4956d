/**
 * The memory that the programs need for one large file: backed up, and got back.
 *
 *     npm run --silent bench -- memory [MiB] [PEERS]
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';

import { inLab, LocalRing } from './programs.js';
import { writePseudoRandom } from './sources.js';

const MiB = 1024 * 1024;

/** Peaks of resident memory, in bytes, and durations. */
export interface MemoryFigures {
  readonly backupPeakBytes: number;
  readonly getfilePeakBytes: number;
  readonly peerPeakBytes: readonly number[];
  readonly backupSeconds: number;
  readonly getfileSeconds: number;
}

/**
 * Takes a file of random bytes in and out.
 * @throws Error when what comes out is not what went in.
 */
export async function measureMemory(sizeMiB: number, peers: number): Promise<MemoryFigures> {
  return inLab(async (lab) => {
    const source = lab.path('source.bin');
    const copy = lab.path('copy.bin');
    await writePseudoRandom(source, sizeMiB);
    const ring = await LocalRing.start(lab, peers);
    const backup = await ring.client(['backup', source, '--quiet']);
    const getfile = await ring.client(['getfile', '--filename', source, '--filedest', copy, '--quiet']);
    const ended = await ring.stop();
    if ((await hashOf(source)) !== (await hashOf(copy))) throw new Error('the file came back damaged');
    return {
      backupPeakBytes: backup.usage.peakBytes,
      getfilePeakBytes: getfile.usage.peakBytes,
      peerPeakBytes: ended.map(({ peakBytes }) => peakBytes),
      backupSeconds: backup.seconds,
      getfileSeconds: getfile.seconds,
    };
  });
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(path, { highWaterMark: MiB })) hash.update(piece as Buffer);
  return hash.digest('hex');
}

/** Measures with the size and the number of peers of the command line. */
export async function run(): Promise<Record<string, unknown>> {
  const sizeMiB = Number(process.argv[3] ?? 1024);
  const peers = Number(process.argv[4] ?? 1);
  const figures = await measureMemory(sizeMiB, peers);
  const inMB = (bytes: number): number => Math.round(bytes / 1e6);
  return {
    sizeMiB,
    peers,
    backupPeakMB: inMB(figures.backupPeakBytes),
    getfilePeakMB: inMB(figures.getfilePeakBytes),
    peerPeakMB: figures.peerPeakBytes.map(inMB),
    backupMiBs: Math.round(sizeMiB / figures.backupSeconds),
    getfileMiBs: Math.round(sizeMiB / figures.getfileSeconds),
    goalClientMB: 300,
  };
}
