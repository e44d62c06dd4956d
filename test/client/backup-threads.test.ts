import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from 'chai';

import { utf8 } from '../../src/base/bytes.js';
import { PeerStoreError } from '../../src/base/errors.js';
import { limits } from '../../src/base/limits.js';
import { nodeFileSystem, readSmallFile } from '../../src/base/node-filesystem.js';
import { seededRandom } from '../../src/base/random.js';
import { type JobOptions, type JobRunner, Threads } from '../../src/base/threads.js';
import { MemoryChunkIndex } from '../../src/archive/ports.js';
import { sealed, SealerInPlace } from '../../src/archive/sealer.js';
import { ArchiveWriter } from '../../src/archive/writer.js';
import { backupThreadModule, helpOf, type ReadJob, type SealJob } from '../../src/client/backup-threads.js';
import { SourceFile } from '../../src/client/read-file.js';
import {
  codeOf,
  compressor,
  fileEntry,
  KiB,
  makeReader,
  MemoryBlocks,
  MiB,
  pieces,
  randomBytes,
  secrets,
} from '../archive/support.js';
import { compareTrees } from '../fixtures/compare-trees.js';
import { temporaryDirectory } from '../fixtures/temporary.js';
import { backUp, MemoryRing, restoreTo, testDevice } from './memory-ring.js';

const settle = () => new Promise((resolve) => setImmediate(resolve));

/** Does the jobs in this thread, when it is told to, in whatever order it is told. */
class FakeThreads implements JobRunner {
  isFree = false;
  starts = 0;
  done = 0;
  /** Bytes of the chunks that it has and has not sealed. */
  bytes = 0;
  mostBytes = 0;
  readonly waiting: { readonly act: () => void; readonly reject: (error: unknown) => void }[] = [];

  start(): void {
    this.starts += 1;
    this.isFree = true;
  }

  run<Result>(kind: string, value: unknown, { weightBytes }: JobOptions): Promise<Result> {
    this.bytes += weightBytes;
    this.mostBytes = Math.max(this.mostBytes, this.bytes);
    return new Promise((resolve, reject) => {
      const act = (): void => {
        this.bytes -= weightBytes;
        this.done += 1;
        resolve(new Promise((done) => done(resultOf(kind, value) as Result)));
      };
      this.waiting.push({ act, reject });
    });
  }

  /** Does what waits, and what comes of it, in an order of chance, until some work is done. */
  async until(work: Promise<unknown>, seed: number): Promise<void> {
    const random = seededRandom(seed);
    const state = { isDone: false };
    const note = (): void => void (state.isDone = true);
    const ended = work.then(note, note);
    while (!state.isDone) {
      await settle();
      for (const { act } of this.waiting.splice(random.below(this.waiting.length + 1), 1)) act();
    }
    await ended;
  }
}

/** What the threads' own module makes of a job. */
function resultOf(kind: string, value: unknown): unknown {
  if (kind === 'seal') return sealed(compressor, value as SealJob);
  const { path, mostBytes } = value as ReadJob;
  return readSmallFile(path, mostBytes);
}

/** Files of every size, some equal, some that compress. */
const contents: readonly Uint8Array[] = [
  randomBytes(9 * MiB, 5),
  new Uint8Array(0),
  ...Array.from({ length: 60 }, (_, at) => randomBytes(1 + at * 997, 40 + (at % 50))),
  Buffer.from('a line of text, and another\n'.repeat(200_000)),
  randomBytes(256 * KiB - 1, 6),
  randomBytes(256 * KiB, 7),
];

function writerWith(blocks: MemoryBlocks, threads: JobRunner | undefined, bytesInFlight?: number) {
  const inPlace = new SealerInPlace(compressor);
  const sealer = threads === undefined ? inPlace : helpOf(threads, inPlace, nodeFileSystem).sealer;
  return new ArchiveWriter({
    secrets,
    compressor,
    sealer,
    sink: blocks,
    index: new MemoryChunkIndex(),
    reader: makeReader(blocks),
    ...(bytesInFlight === undefined ? {} : { bytesInFlight }),
  });
}

/** Writes all contents side by side. @returns what was stored, and where it hangs from. */
async function writeAll(threads?: JobRunner) {
  const blocks = new MemoryBlocks();
  const writer = writerWith(blocks, threads);
  const written = await Promise.all(
    contents.map((bytes) =>
      bytes.length < limits.chunkMinBytes
        ? writer.writeWhole(Uint8Array.from(bytes))
        : writer.writeContent(pieces(bytes, MiB)),
    ),
  );
  const entries = written.map(({ content, sizeBytes }, at) =>
    fileEntry(String(at).padStart(3, '0'), sizeBytes, content),
  );
  const tree = await writer.writeTree(entries);
  await writer.finish();
  return { ids: [...blocks.blocks.keys()].sort(), root: await tree.settled(), stats: writer.stats };
}

describe('a backup with threads', () => {
  const temporary = temporaryDirectory();

  /** Threads of the real module, up. */
  async function started(): Promise<Threads> {
    const onStartFailed = (error: unknown): never => {
      throw error;
    };
    const threads = new Threads({ module: backupThreadModule, count: 2, onStartFailed });
    threads.start();
    while (!threads.isFree) await settle();
    return threads;
  }

  it('stores the same blocks as without', async () => {
    const threads = await started();
    try {
      expect(await writeAll(threads)).to.deep.equal(await writeAll());
    } finally {
      await threads.close();
    }
  });

  it('stores the same blocks in whatever order chunks are sealed', async () => {
    const expected = await writeAll();
    for (const seed of [1, 2, 3]) {
      const threads = new FakeThreads();
      threads.isFree = true;
      const work = writeAll(threads);
      await threads.until(work, seed);
      expect(await work).to.deep.equal(expected);
      expect(threads.done).to.be.greaterThan(60);
    }
  });

  it('starts them when there is enough to do, and not before', async () => {
    const threads = new FakeThreads();
    const writer = writerWith(new MemoryBlocks(), threads);
    await writer.writeWhole(randomBytes(200 * KiB, 1).slice());
    expect(threads.starts).to.equal(0);
    const work = writer.writeContent(pieces(randomBytes(9 * MiB, 5), MiB));
    await threads.until(work, 1);
    expect(threads.starts).to.be.greaterThan(0);
    expect(threads.done).to.be.greaterThan(0);
  });

  it('gives them no more than the writer has room for', async () => {
    const threads = new FakeThreads();
    threads.isFree = true;
    const room = 17 * MiB;
    const writer = writerWith(new MemoryBlocks(), threads, room);
    const work = Promise.all(
      [21, 22, 23].map((seed) => writer.writeContent(pieces(randomBytes(20 * MiB, seed), MiB))),
    );
    await threads.until(work, 1);
    await work;
    expect(threads.mostBytes).to.be.within(8 * MiB, room);
  });

  it('rejects everything, and hangs nowhere, when one dies', async () => {
    const threads = new FakeThreads();
    threads.isFree = true;
    const writer = writerWith(new MemoryBlocks(), threads);
    const contentCode = codeOf(writer.writeContent(pieces(randomBytes(20 * MiB, 21), MiB)));
    const wholeCode = codeOf(writer.writeWhole(randomBytes(1000, 2).slice()));
    while (threads.waiting.length < 5) await settle();
    const error = new PeerStoreError('INTERNAL', 'the test says that a thread has died');
    for (const { reject } of threads.waiting) reject(error);
    expect([await contentCode, await wholeCode]).to.deep.equal(['INTERNAL', 'INTERNAL']);
    expect(await codeOf(writer.flush())).to.equal('INTERNAL');
  });

  it('reads a small file as it is, and leaves any other to the file system', async () => {
    const threads = new FakeThreads();
    threads.isFree = true;
    const { smallFiles } = helpOf(threads, new SealerInPlace(compressor), nodeFileSystem);
    const small = join(temporary(), 'small');
    const large = join(temporary(), 'large');
    writeFileSync(small, 'what is in it');
    writeFileSync(large, new Uint8Array(limits.chunkMinBytes + 1));
    const read = async (path: string) => {
      const opening = SourceFile.open(smallFiles, utf8(path));
      await threads.until(opening, 1);
      const file = await opening;
      const bytes = await file.whole();
      const changed = await file.change();
      await file.close();
      return { bytes, changed, sizeBytes: file.info.sizeBytes };
    };
    const { bytes, changed } = await read(small);
    expect(Buffer.from(bytes).toString()).to.equal('what is in it');
    expect(changed).to.equal(undefined);
    expect((await read(large)).bytes).to.have.length(limits.chunkMinBytes + 1);
    symlinkSync('small', join(temporary(), 'link'));
    const gone = (name: string) => smallFiles.openForReading(utf8(join(temporary(), name)));
    for (const [name, code] of [
      ['link', 'ELOOP'],
      ['nothing', 'ENOENT'],
    ] as const) {
      const opening = gone(name).catch((error: unknown) => (error as { code: string }).code);
      await threads.until(opening, 1);
      expect(await opening).to.equal(code);
    }
  });

  describe('of a ring', () => {
    let ring: MemoryRing;
    beforeEach(async () => {
      ring = await MemoryRing.start(3);
    });
    afterEach(() => ring.stop());

    function makeSource(): string {
      const source = join(temporary(), 'source');
      for (let at = 0; at < 200; at += 1) {
        const directory = join(source, `part${at % 7}`);
        mkdirSync(directory, { recursive: true });
        writeFileSync(join(directory, `file${at}`), `${at}\n`.repeat(at * 50));
      }
      writeFileSync(join(source, 'large'), randomBytes(6 * MiB, 9));
      return source;
    }

    it('comes back as it was', async () => {
      const source = makeSource();
      const session = await ring.session(testDevice());
      const threads = await started();
      try {
        const { problems } = await backUp(session, [source], { threads });
        expect(problems).to.deep.equal([]);
      } finally {
        await threads.close();
      }
      const target = join(temporary(), 'target');
      await restoreTo(session, 'latest', target);
      expect(await compareTrees(source, join(target, source))).to.deep.equal([]);
    });

    it('fails as a whole when they die, with the reason, and not file by file', async () => {
      const source = makeSource();
      const session = await ring.session(testDevice());
      const threads = await started();
      const dying = codeOf(backUp(session, [source], { threads }));
      await threads.close();
      expect(await dying).to.equal('CANCELLED');
    });
  });
});
