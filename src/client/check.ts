/**
 * Checking: whether everything that the snapshots refer to is in the ring, and if wanted, whether it can be read.
 *
 * The references are collected first, each block once, and asked for in batches; only when something is missing are the
 * trees walked again, to name the files that need it.
 */
import { hasCode, messageOf, PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { printablePath, rootPath } from '../base/paths.js';
import type { Entry } from '../archive/entry.js';
import type { Snapshot } from '../archive/snapshot.js';
import { walkReferences } from '../archive/walk.js';
import type { Id } from '../wire/index.js';
import { rootEntry, walkTree } from './browse.js';
import { meansDamage } from './restore.js';
import type { Session } from './session.js';

export interface CheckOptions {
  readonly snapshots: readonly Snapshot[];
  /** Also read and decrypt everything. */
  readonly readData: boolean;
  /** Takes each damaged or missing thing as it is found. */
  readonly report: (finding: Finding) => void;
  readonly progress?: (done: { readonly files: number; readonly bytes: number }) => void;
}

/** Something that a snapshot needs and the ring does not give. */
export interface Finding {
  readonly snapshot: Id;
  readonly path: string;
  readonly message: string;
}

export interface CheckSummary {
  readonly snapshots: number;
  readonly files: number;
  readonly blocks: number;
  readonly missingBlocks: number;
  readonly findings: number;
}

/** Checks the snapshots. @throws PeerStoreError UNREACHABLE, CANCELLED; what is missing is reported, not thrown. */
export async function check(session: Session, options: CheckOptions): Promise<CheckSummary> {
  const { blocks, signal } = session;
  const reader = options.readData ? session.bulkReader : session.reader;
  const wanted = new Set<Id>();
  const missing = new Set<Id>();
  const contents = new Set<string>();
  let files = 0;
  let findings = 0;
  const report = (finding: Finding): void => {
    findings += 1;
    options.report(finding);
  };

  const collect = async (entry: Entry): Promise<void> => {
    if (entry.type === 'symlink') return;
    for await (const { reference } of walkReferences(reader, entry.content, 'data'))
      wanted.add(reference.block);
  };
  const visit = async (
    snapshot: Snapshot,
    look: (entry: Entry, path: string) => Promise<void>,
  ): Promise<void> => {
    const root = rootEntry(snapshot);
    await look(root, '/');
    for await (const { path, entry, failure } of walkTree(reader, root, rootPath)) {
      if (signal?.aborted === true) throw new PeerStoreError('CANCELLED', 'the check was interrupted');
      const shown = printablePath(path);
      if (failure !== undefined) {
        if (!meansDamage(failure)) throw failure;
        report({
          snapshot: snapshot.id,
          path: shown,
          message: `the directory cannot be read: ${messageOf(failure)}`,
        });
      } else {
        await look(entry, shown);
      }
    }
  };

  for (const snapshot of options.snapshots) {
    await visit(snapshot, async (entry, path) => {
      if (entry.type === 'file') files += 1;
      options.progress?.({ files: entry.type === 'file' ? 1 : 0, bytes: 0 });
      try {
        await collect(entry);
      } catch (error) {
        if (!meansDamage(error)) throw error;
        report({ snapshot: snapshot.id, path, message: messageOf(error) });
      }
    });
  }

  const ids = [...wanted];
  for (let at = 0; at < ids.length; at += limits.hasBlocksIds) {
    const batch = ids.slice(at, at + limits.hasBlocksIds);
    const present = await blocks.has(batch);
    for (const [index, id] of batch.entries()) {
      if (present[index] !== true && !(await isReadable(session, id))) missing.add(id);
    }
  }

  if (missing.size > 0 || options.readData) {
    for (const snapshot of options.snapshots) {
      await visit(snapshot, async (entry, path) => {
        if (entry.type !== 'file') return;
        try {
          for await (const { reference } of walkReferences(reader, entry.content, 'data')) {
            if (missing.has(reference.block)) {
              throw new PeerStoreError(
                'MISSING',
                `block ${reference.block} is on no peer that can be reached`,
              );
            }
          }
          if (!options.readData) return;
          // The same content under another name or in another snapshot has been read already.
          const name = JSON.stringify(entry.content.references.map(({ block, offset }) => [block, offset]));
          if (contents.has(name)) return;
          for await (const piece of reader.readContent(entry.content)) {
            options.progress?.({ files: 0, bytes: piece.length });
          }
          contents.add(name);
        } catch (error) {
          if (!meansDamage(error)) throw error;
          report({ snapshot: snapshot.id, path, message: messageOf(error) });
        }
      });
    }
  }
  return {
    snapshots: options.snapshots.length,
    files,
    blocks: wanted.size,
    missingBlocks: missing.size,
    findings,
  };
}

/** A block that less than a majority of its holders has may still be there: it is short of copies, not missing. */
async function isReadable(session: Session, id: Id): Promise<boolean> {
  try {
    await session.blocks.get(id);
    return true;
  } catch (error) {
    if (hasCode(error, 'MISSING')) return false;
    throw error;
  }
}
