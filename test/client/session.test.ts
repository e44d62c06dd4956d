import { readdirSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from 'chai';

import { sha256, utf8 } from '../../src/base/bytes.js';
import { systemClock } from '../../src/base/clock.js';
import { PeerStoreError } from '../../src/base/errors.js';
import { silentLogger } from '../../src/base/log.js';
import { nodeFileSystem } from '../../src/base/node-filesystem.js';
import { seededRandom } from '../../src/base/random.js';
import type { Content, Reference } from '../../src/archive/entry.js';
import { sealChunk } from '../../src/archive/seal.js';
import { makeSnapshot } from '../../src/archive/snapshot.js';
import type { Problem } from '../../src/client/problem.js';
import { restore } from '../../src/client/restore.js';
import { openSession, type Session } from '../../src/client/session.js';
import { SigningKey } from '../../src/identity/keys.js';
import type { PeerRef, RequestOf, Transport } from '../../src/wire/index.js';
import { hashToId } from '../../src/ring/identifier.js';
import { codeOf, compressor, makeWriter, MemoryBlocks, readAll, writeFiles } from '../archive/support.js';
import { temporaryDirectory } from '../fixtures/temporary.js';

const peer: PeerRef = { id: hashToId(utf8('peer')), machine: hashToId(utf8('peer')), address: 'peer:1' };

/** A ring of one peer that serves these blocks, whatever their ids. */
function ringOf(blocks: MemoryBlocks): Transport {
  const answers = {
    successorList: { self: peer, predecessor: null, successors: [] },
    status: { self: peer, replicas: 1 },
  };
  const call = async (_: unknown, method: string, request: unknown): Promise<unknown> => {
    if (method === 'hasBlocks') {
      const { ids } = request as RequestOf<'hasBlocks'>;
      return { response: { present: ids.map((id) => blocks.blocks.has(id)) } };
    }
    if (method !== 'getBlock') return { response: answers[method as keyof typeof answers] };
    const { id, offset = 0, length } = request as RequestOf<'getBlock'>;
    if (!blocks.blocks.has(id)) throw new PeerStoreError('NOT_FOUND', 'no such block');
    const whole = await blocks.get(id);
    return { response: {}, body: whole.subarray(offset, length === undefined ? undefined : offset + length) };
  };
  return { call, close: () => Promise.resolve() } as unknown as Transport;
}

function sessionOn(blocks: MemoryBlocks, signal?: AbortSignal): Promise<Session> {
  const device = SigningKey.fromSeed(new Uint8Array(32).fill(1));
  return openSession({
    // The secret of the archive in ../archive/support.ts.
    keys: { name: 'ada', user: device, device, archiveSecret: new Uint8Array(32).fill(7) },
    transport: ringOf(blocks),
    entries: [peer],
    clock: systemClock,
    random: seededRandom(1),
    log: silentLogger,
    retryForMs: 0,
    ...(signal === undefined ? {} : { signal }),
  });
}

function snapshotOf(root: Content) {
  const counts = { files: 0, dirs: 0, bytes: 0, newBytes: 0, storedBytes: 0, errors: 0 };
  return makeSnapshot({ timeMs: 1, host: 'h', user: 'ada', paths: [utf8('/')], tags: [], root, ...counts });
}

describe('a session', () => {
  const temporary = temporaryDirectory();

  it('refuses what was sealed under the key of a reference by somebody else than the owner', async () => {
    // Whoever was handed a reference knows its key, and a peer need not serve what was stored.
    const blocks = new MemoryBlocks();
    const key = sha256(utf8('a key that was shared'));
    const forged = utf8('forged');
    const sealed = sealChunk(compressor, key, forged, sha256(forged));
    const block = hashToId(sealed);
    blocks.blocks.set(block, sealed);
    const reference: Reference = { block, offset: 0, length: sealed.length, key, sizeBytes: forged.length };
    const { reader, bulkReader } = await sessionOn(blocks);
    for (const one of [reader, bulkReader]) {
      expect(await codeOf(readAll(one, { depth: 0, references: [reference] }))).to.equal('DAMAGED');
    }
  });

  it('lets every request listen to its signal without a warning of Node', async () => {
    const { signal } = new AbortController();
    await sessionOn(new MemoryBlocks(), signal);
    const warnings: Error[] = [];
    const hear = (warning: Error): void => void warnings.push(warning);
    process.on('warning', hear);
    try {
      for (let at = 0; at < 20; at += 1) signal.addEventListener('abort', () => undefined);
      await new Promise((resolve) => setImmediate(resolve));
    } finally {
      process.off('warning', hear);
    }
    expect(warnings).to.deep.equal([]);
  });

  it('restores what can be read beside a directory that cannot', async () => {
    const blocks = new MemoryBlocks();
    const other = makeWriter(blocks);
    const lost = await writeFiles(other, { gone: utf8('gone') });
    await other.finish();
    const lostTree = (await lost.settled()).references[0]!;
    const writer = makeWriter(blocks);
    const a = (await writer.writeContent([utf8('a')])).content;
    const common = { mode: 0o755, uid: 0, gid: 0, mtimeNs: 0n };
    const tree = await writer.writeTree([
      { type: 'file', name: utf8('a'), ...common, sizeBytes: 1, content: a },
      { type: 'directory', name: utf8('b'), ...common, content: await lost.settled() },
      { type: 'file', name: utf8('c'), ...common, sizeBytes: 1, content: a },
    ]);
    await writer.finish();
    const root = await tree.settled();
    blocks.blocks.delete(lostTree.block);

    const session = await sessionOn(blocks);
    const problems: Problem[] = [];
    const target = join(temporary(), 'target');
    const summary = await restore(session, {
      fileSystem: nodeFileSystem,
      snapshot: snapshotOf(root),
      components: [],
      target: utf8(target),
      overwrite: 'always',
      report: (found) => void problems.push(found),
    });
    expect(problems.map(({ kind, path }) => `${kind} ${Buffer.from(path).toString()}`)).to.deep.equal([
      `damaged ${target}/b`,
    ]);
    expect(summary).to.include({ files: 2, directories: 1, problems: 1 });
    expect(readdirSync(target)).to.have.members(['a', 'b', 'c']);
  });
});
