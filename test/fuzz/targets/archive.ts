/** What is sealed into an archive, as somebody reads it who holds its keys: whoever wrote it may have been of bad will. */
import { concatBytes, utf8 } from '../../../src/base/bytes.js';
import { decodeDecision, encodeDecision } from '../../../src/archive/decision.js';
import { loadCompressor, openFrame } from '../../../src/archive/compress.js';
import type { Content, Reference } from '../../../src/archive/entry.js';
import { readList, readRecords } from '../../../src/archive/parse.js';
import { decodeContent, encodeContent } from '../../../src/archive/reference.js';
import {
  decodeHead,
  decodeSnapshot,
  encodeHead,
  encodeSnapshot,
  makeSnapshot,
} from '../../../src/archive/snapshot.js';
import { decodeEntry, encodeEntry } from '../../../src/archive/tree.js';
import { hashToId } from '../../../src/ring/identifier.js';
import { type Target, unlessRefused } from '../target.js';

const home = hashToId(utf8('a block'));
const reference: Reference = {
  block: home,
  offset: 10,
  length: 500,
  key: new Uint8Array(32).fill(9),
  sizeBytes: 480,
};
const content: Content = { depth: 0, references: [reference] };
const list: Reference = { ...reference, sizeBytes: 2 * reference.sizeBytes };
const compressor = await loadCompressor();
const mostBytes = 64 * 1024;

/** One kind of bytes: how they are read, and some that are in order. */
interface Reader {
  readonly read: (bytes: Uint8Array) => unknown;
  readonly seeds: readonly Uint8Array[];
}

const snapshot = makeSnapshot({
  ...{ timeMs: 1, host: 'desk', user: 'ada', paths: [utf8('/home/ada')], tags: ['t'], root: content },
  ...{ files: 1, dirs: 2, bytes: 3, newBytes: 4, storedBytes: 5, errors: 0, parent: home },
});
const common = { mode: 0o644, uid: 1, gid: 1, mtimeNs: 12n };
const entries = [
  encodeEntry({ ...common, type: 'file', name: utf8('f'), sizeBytes: 480, content, linkGroup: 'g' }),
  encodeEntry({ ...common, type: 'directory', name: utf8('d'), content }),
  encodeEntry({ ...common, type: 'symlink', name: utf8('s'), target: utf8('d/f') }),
].map(({ bytes }) => bytes);
const referenceAlone = encodeContent(content).subarray(2);

const readers: readonly Reader[] = [
  { seeds: entries, read: (bytes) => decodeEntry(bytes, home) },
  { seeds: [encodeSnapshot(snapshot)], read: encodeSnapshotAgain },
  {
    seeds: [encodeHead({ catalog: content, decisions: { depth: 0, references: [] } })],
    read: (bytes) => encodeHead(decodeHead(bytes)),
  },
  {
    seeds: [encodeDecision({ snapshot: home, atMs: 5, isForgotten: true })],
    read: (bytes) => encodeDecision(decodeDecision(bytes)),
  },
  { seeds: [encodeContent(content)], read: (bytes) => encodeContent(decodeContent(bytes, home)) },
  {
    seeds: [concatBytes(Uint8Array.of(1, 1), referenceAlone, referenceAlone)],
    read: (bytes) => readList(bytes, list, 1),
  },
  {
    seeds: [concatBytes(Uint8Array.of(1, 0, 0, 0, 2, 8, 8, 0, 0, 0, 0))],
    read: (bytes) => [...readRecords(bytes, 'tree')],
  },
  {
    seeds: [compressor.compress(new Uint8Array(2000).fill(5)), compressor.compress(utf8('abcabcabcabc'))],
    read: (bytes) => {
      if (openFrame(compressor, bytes, mostBytes).length > mostBytes) throw new Error('more than is allowed');
    },
  },
];

/** What this version knows of a snapshot it writes as it was; of a later version's it says that it cannot. */
function encodeSnapshotAgain(bytes: Uint8Array): void {
  const found = decodeSnapshot(bytes);
  unlessRefused(['USAGE'], () => encodeSnapshot(found));
}

/** The first byte says what follows. */
export const archive: Target = {
  what: 'entries, snapshots, heads, decisions, lists and compressed chunks of an archive',
  seeds: () =>
    readers.flatMap(({ seeds }, kind) => seeds.map((seed) => concatBytes(Uint8Array.of(kind), seed))),
  read: (input) => {
    const reader = readers[(input[0] ?? 0) % readers.length];
    unlessRefused(['DAMAGED'], () => reader?.read(input.subarray(1)));
  },
};
