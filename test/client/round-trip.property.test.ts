/** Whatever a small tree holds, and however it changes, each snapshot gives back what was there. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect } from 'chai';
import fc from 'fast-check';

import { asBuffer, concatBytes } from '../../src/base/bytes.js';
import { nodeFileSystem } from '../../src/base/node-filesystem.js';
import { seededRandom } from '../../src/base/random.js';
import { check } from '../../src/client/check.js';
import { loadSnapshots } from '../../src/client/catalog.js';
import { joinPath } from '../../src/base/paths.js';
import { compareTrees } from '../fixtures/compare-trees.js';
import { backUp, emptyCache, MemoryRing, restoreTo, testDevice } from './memory-ring.js';

/** Files are made of these, so that they share chunks. */
const parts = [1, 2, 3].map((seed) => seededRandom(seed).bytes(400_000));

type Item =
  | { kind: 'file'; parts: readonly number[]; tail: number; mode: number }
  | { kind: 'link'; target: Uint8Array }
  | { kind: 'hard link'; to: number }
  | { kind: 'directory'; mode: number };
interface Step {
  readonly directory: number;
  readonly name: Uint8Array;
  readonly item: Item;
}

const name = fc.oneof(
  fc.constantFrom('a', 'b', 'c', 'ü', 'new\nline', '-x', '...').map((text) => Buffer.from(text)),
  fc
    .uint8Array({ minLength: 1, maxLength: 12 })
    .map((bytes) => Buffer.from(bytes.map((byte) => (byte === 0 || byte === 0x2f ? 0x78 : byte))))
    .filter((bytes) => !['.', '..'].includes(bytes.toString('latin1'))),
);
const item: fc.Arbitrary<Item> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('file' as const),
      parts: fc.array(fc.nat(2), { maxLength: 4 }),
      tail: fc.nat(5000),
      mode: fc.constantFrom(0o600, 0o644, 0o755, 0o400),
    }),
  },
  fc.record({ kind: fc.constant('link' as const), target: name }),
  fc.record({ kind: fc.constant('hard link' as const), to: fc.nat(9) }),
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('directory' as const),
      mode: fc.constantFrom(0o700, 0o755, 0o500),
    }),
  },
);
const steps = fc.array(fc.record({ directory: fc.nat(9), name, item }), { maxLength: 15 });

/** Builds, or changes, a tree: each step puts something at a name of one of the directories that there are. */
class Builder {
  readonly #directories: Uint8Array[];
  readonly #files: Uint8Array[] = [];
  readonly #modes: [Uint8Array, number][] = [];

  constructor(readonly root: string) {
    this.#directories = [Buffer.from(root)];
  }

  apply(all: readonly Step[]): void {
    for (const [path] of this.#modes) if (existsSync(asBuffer(path))) chmodSync(asBuffer(path), 0o700);
    for (const step of all) this.#put(step);
    for (const [path, mode] of this.#modes) {
      if (existsSync(asBuffer(path)) && lstatSync(asBuffer(path)).isDirectory())
        chmodSync(asBuffer(path), mode);
    }
  }

  #put({ directory, name: named, item: made }: Step): void {
    const path = asBuffer(joinPath(this.#directories[directory % this.#directories.length]!, named));
    const old = lstatSync(path, { throwIfNoEntry: false });
    if (old?.isDirectory() === true) return;
    const isOtherFile = (file: Buffer): boolean =>
      !file.equals(path) && lstatSync(file, { throwIfNoEntry: false })?.isFile() === true;
    const others = this.#files.map(asBuffer).filter(isOtherFile);
    if (old !== undefined) rmSync(path);
    switch (made.kind) {
      case 'file':
        writeFileSync(path, this.#content(made));
        chmodSync(path, made.mode);
        this.#files.push(path);
        break;
      case 'link':
        symlinkSync(asBuffer(made.target), path);
        break;
      case 'hard link':
        if (others.length > 0) linkSync(others[made.to % others.length]!, path);
        break;
      case 'directory':
        mkdirSync(path);
        this.#directories.push(path);
        this.#modes.push([path, made.mode]);
        break;
    }
  }

  #content({ parts: chosen, tail }: Extract<Item, { kind: 'file' }>): Uint8Array {
    return concatBytes(...chosen.map((at) => parts[at]!), parts[0]!.subarray(0, tail));
  }
}

describe('a random tree', () => {
  let ring: MemoryRing;
  before(async () => {
    ring = await MemoryRing.start(3);
  });
  after(() => ring.stop());

  it('comes back from each of its snapshots as it was then, and check finds all of it', async function () {
    this.timeout(300_000);
    let user = 0;
    await fc.assert(
      fc.asyncProperty(steps, steps, async (first, second) => {
        user += 1;
        const session = await ring.session(testDevice(user));
        const base = mkdtempSync(join(realpathSync(tmpdir()), 'peerstore-'));
        try {
          const source = join(base, 'source');
          mkdirSync(source);
          const builder = new Builder(source);
          const cache = emptyCache();
          const states: string[] = [];
          for (const [at, changes] of [first, second].entries()) {
            builder.apply(changes);
            const { problems } = await backUp(session, [source], { cache });
            expect(problems).to.deep.equal([]);
            // What was there then, by another way than ours.
            const state = join(base, `state ${at}`);
            execFileSync('cp', ['-a', source, state]);
            states.push(state);
          }
          const snapshots = await loadSnapshots(session);
          expect(snapshots.length).to.equal(2);
          const now = join(base, 'now');
          await restoreTo(session, `latest:${source}`, now);
          expect(await compareTrees(source, now)).to.deep.equal([]);
          const then = join(base, 'then');
          await restoreTo(session, `${snapshots[0]!.id}:${source}`, then);
          expect(await compareTrees(states[0]!, then)).to.deep.equal([]);
          const found: unknown[] = [];
          await check(session, { snapshots, readData: true, report: (finding) => found.push(finding) });
          expect(found).to.deep.equal([]);
        } finally {
          await removeTree(base);
        }
      }),
      { numRuns: 15, seed: 20, endOnFailure: true },
    );
  });
});

async function removeTree(path: string): Promise<void> {
  const open: Uint8Array[] = [Buffer.from(path)];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    await nodeFileSystem.changeMode(at, 0o700);
    for (const named of await nodeFileSystem.readDirectory(at)) {
      const below = joinPath(at, named);
      if ((await nodeFileSystem.lstat(below)).type === 'directory') open.push(below);
    }
  }
  rmSync(path, { recursive: true, force: true });
}
