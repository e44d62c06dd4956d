/** A snapshot of one file, made without a file system. */
import { utf8 } from '../../src/base/bytes.js';
import { seededRandom } from '../../src/base/random.js';
import { MemoryChunkIndex } from '../../src/archive/ports.js';
import { makeSnapshot, type Snapshot } from '../../src/archive/snapshot.js';
import { ArchiveWriter } from '../../src/archive/writer.js';
import { addSnapshot, writerOf } from '../../src/client/own-catalog.js';
import type { Session } from '../../src/client/session.js';

/** Stores a file whose bytes follow from a number, and lists a snapshot of it, from when the session's clock shows. */
export async function addSmallSnapshot(
  session: Session,
  seed: number,
  timeMs = session.clock.nowMs(),
): Promise<Snapshot> {
  const { secrets, compressor, blocks, reader } = session;
  const writer = new ArchiveWriter({
    secrets,
    compressor,
    sink: blocks,
    index: new MemoryChunkIndex(),
    reader,
  });
  const { content, sizeBytes } = await writer.writeContent([seededRandom(seed).bytes(200_000)]);
  const attributes = { mode: 0o644, uid: 0, gid: 0, mtimeNs: 0n };
  const tree = await writer.writeTree([
    { type: 'file', name: utf8('file'), ...attributes, sizeBytes, content },
  ]);
  await writer.finish();
  const counts = { files: 1, dirs: 1, bytes: sizeBytes, newBytes: 0, storedBytes: 0, errors: 0 };
  const where = { host: 'host', user: 'user', paths: [utf8('/')], tags: [] };
  const snapshot = makeSnapshot({ timeMs, ...where, root: await tree.settled(), ...counts });
  await addSnapshot(session, writerOf(session), snapshot);
  return snapshot;
}
