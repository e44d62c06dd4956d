/**
 * What changes the blocks on disk: files and index, in the order that a crash between two steps needs (see disk.ts). Every
 * change of an id waits for its turn.
 */
import { join } from 'node:path';

import { bytesEqual } from '../base/bytes.js';
import { PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { type Id, parseId } from '../ring/identifier.js';
import {
  type BlockEntry,
  checkBlock,
  checkState,
  hasBytes,
  isExpiredTombstone,
  isHeld,
  isInTrash,
  isTold,
  isTrashedBefore,
  mergedEntry,
  releasedEntry,
  removedEntry,
  touchedEntry,
  trashedByNow,
} from './block-entry.js';
import { storeError } from './disk-errors.js';
import { setAsideWords, Shelf } from './disk-files.js';
import type { DiskParts } from './disk-open.js';
import type { IdLocks } from './id-locks.js';
import { blockDigest } from './items.js';
import type { BlockState } from './store.js';

/** What became of a block. */
interface Change {
  readonly id: Id;
  readonly before: BlockEntry | undefined;
  readonly after: BlockEntry | undefined;
}

export class BlockChanges {
  readonly #parts: DiskParts;
  readonly #locks: IdLocks;

  constructor(parts: DiskParts, locks: IdLocks) {
    this.#parts = parts;
    this.#locks = locks;
  }

  /** As {@link Store.putBlock}. */
  put(id: Id, bytes: Uint8Array, owner: Id, atMs: number | undefined): Promise<{ isNew: boolean }> {
    checkBlock(id, bytes);
    return this.#locks.with([id], async () => {
      const nowMs = this.#parts.clock.nowMs();
      const before = this.#parts.index.get(id);
      const after = touchedEntry(before, bytes.length, owner, atMs ?? nowMs, nowMs);
      const isThere = await this.#bringBack(id, before);
      await this.#keep({ id, before, after }, isThere ? undefined : bytes);
      return { isNew: !isThere || !isHeld(before) };
    });
  }

  /** As {@link Store.touchBlocks}. */
  touch(ids: readonly Id[], owner: Id, atMs: number | undefined): Promise<readonly boolean[]> {
    return this.#locks.with(ids, async () => {
      const nowMs = this.#parts.clock.nowMs();
      const changes = await Promise.all(
        [...new Set(ids)].map(async (id) => {
          const before = this.#parts.index.get(id);
          if (before === undefined || !(await this.#bringBack(id, before))) return undefined;
          return { id, before, after: touchedEntry(before, before.sizeBytes, owner, atMs ?? nowMs, nowMs) };
        }),
      );
      const known = changes.filter((change) => change !== undefined);
      await this.#commit(known);
      const held = new Set(known.map(({ id }) => id));
      return ids.map((id) => held.has(id));
    });
  }

  /** As {@link Store.releaseBlock}. */
  release(id: Id, owner: Id, liveSetAtMs: number): Promise<boolean> {
    return this.#locks.with([id], async () => {
      const before = this.#parts.index.get(id);
      if (before === undefined) return true;
      const { entry, isReleased } = releasedEntry(before, owner, liveSetAtMs, this.#parts.clock.nowMs());
      await this.#letGo({ id, before, after: entry });
      return isReleased;
    });
  }

  /** As {@link Store.mergeBlock}. */
  merge(id: Id, state: BlockState, bytes: Uint8Array | undefined): Promise<'merged' | 'needs bytes'> {
    checkState(id, state, bytes);
    return this.#locks.with([id], async () => {
      const before = this.#parts.index.get(id);
      const after = mergedEntry(before, state, bytes !== undefined, this.#parts.clock.nowMs());
      if (!isHeld(after)) {
        if (hasBytes(after) && !hasBytes(before)) await this.#keep({ id, before, after }, bytes);
        else await this.#letGo({ id, before, after });
        return 'merged';
      }
      const isThere = await this.#bringBack(id, before);
      if (!isThere && bytes === undefined) {
        // Nobody is to send what has no room here.
        this.#parts.health.requireRoom(state.sizeBytes);
        this.#parts.totals.reserve(state.sizeBytes)();
        return 'needs bytes';
      }
      if (!isThere || after !== before) await this.#keep({ id, before, after }, isThere ? undefined : bytes);
      return 'merged';
    });
  }

  /** As {@link Store.dropItem}, for a block. */
  drop(id: Id, digest: Uint8Array, andTrash: boolean): Promise<boolean> {
    const { index, blocks } = this.#parts;
    return this.#locks.with([id], async () => {
      const before = index.get(id);
      if (!isTold(before)) return true;
      if (!bytesEqual(blockDigest(id, before), digest)) return false;
      if (!andTrash && isInTrash(before) && (await blocks.stat(id, blocks.trashed)) !== undefined)
        return false;
      // By way of the trash: after a crash it is held again, or lies there with nobody to own it.
      if (isHeld(before)) await blocks.moveToTrash(id);
      try {
        await this.#commit([{ id, before, after: undefined }]);
      } catch (error) {
        // Should this fail, too, the next start does it.
        if (isHeld(before)) await blocks.moveFromTrash(id).catch(() => undefined);
        throw error;
      }
      await blocks.remove(id, blocks.trashed);
      return true;
    });
  }

  /** As {@link Store.trashedBytes}. */
  readTrashed(id: Id): Promise<Uint8Array | undefined> {
    const { index, blocks } = this.#parts;
    return this.#locks.with([id], async () => {
      const entry = index.get(id);
      return isInTrash(entry) ? blocks.readChecked(id, entry.sizeBytes, blocks.trashed) : undefined;
    });
  }

  /** As {@link Store.emptyTrash}. */
  async emptyTrash(trashedBeforeMs: number): Promise<number> {
    let freedBytes = 0;
    for (const prefix of Shelf.prefixes) {
      const ids = await this.#parts.blocks.trashed.list(prefix);
      const freed = await Promise.all(ids.map((id) => this.#removeTrashed(id, trashedBeforeMs)));
      freedBytes += freed.reduce((sum, bytes) => sum + bytes, 0);
      await this.#forgetExpired(prefix);
      // A turn for others: going over an index of a million entries takes seconds.
      await new Promise(setImmediate);
    }
    return freedBytes;
  }

  /** Takes a block out of the store that turned out to be damaged. Under the lock of its id. */
  async setAside(id: Id, before: BlockEntry): Promise<never> {
    const { blocks, totals, log, path } = this.#parts;
    const found = setAsideWords[await blocks.setAside(id)];
    await this.#commit([{ id, before, after: undefined }]);
    totals.countDamaged(id, 'block');
    log.warn(`a block ${found}`, { id, directory: join(path, 'damaged') });
    throw new PeerStoreError('DAMAGED', `block ${id} ${found}; another holder has it`);
  }

  /** Makes sure that the file of a block is in its place, out of the trash. @returns whether it is, whole. */
  async #bringBack(id: Id, entry: BlockEntry | undefined): Promise<boolean> {
    if (!hasBytes(entry)) return false;
    if (!isHeld(entry)) await this.#parts.blocks.moveFromTrash(id);
    return (await this.#parts.blocks.stat(id))?.sizeBytes === entry.sizeBytes;
  }

  /** Writes the bytes of a block where they are not there, then its entry. */
  async #keep({ id, before, after }: Change, bytes: Uint8Array | undefined): Promise<void> {
    const { blocks, totals, log } = this.#parts;
    const shelf = isHeld(after) ? blocks.held : blocks.trashed;
    const beforeBytes = hasBytes(before) ? before.sizeBytes : undefined;
    const giveBack = totals.reserve(bytes?.length ?? beforeBytes ?? 0, beforeBytes);
    try {
      if (bytes !== undefined) await blocks.write(id, bytes, shelf);
      await this.#commit([{ id, before, after }]);
    } catch (error) {
      if (!hasBytes(before)) await blocks.remove(id, shelf);
      throw error;
    } finally {
      giveBack();
    }
    if (isHeld(before) && bytes !== undefined)
      log.warn('the file of a block was missing and is written again', { id });
  }

  /** Notes what a block became that is not held any more, or never was. */
  async #letGo({ id, before, after }: Change): Promise<void> {
    if (after !== before) await this.#commit([{ id, before, after }]);
    if (isHeld(before) && !isHeld(after)) await this.#moveToTrash(id);
  }

  /** The index knows already that it is in the trash; should the move fail, the next start does it. */
  async #moveToTrash(id: Id): Promise<void> {
    const { blocks, log, path } = this.#parts;
    try {
      await blocks.moveToTrash(id);
    } catch (error) {
      const reason = storeError(error, `move block ${id} to the trash`, path);
      log.warn('a block stays out of the trash until the next start', { id, reason: String(reason) });
    }
  }

  /** The file first: on a full disk the index may need its room. @returns the bytes it freed. */
  #removeTrashed(id: Id, trashedBeforeMs: number): Promise<number> {
    const { blocks, index, clock } = this.#parts;
    return this.#locks.with([id], async () => {
      const before = index.get(id);
      if (!isInTrash(before)) return 0;
      if (!isTrashedBefore(before, trashedBeforeMs)) {
        await this.#letGo({ id, before, after: trashedByNow(before, clock.nowMs()) });
        return 0;
      }
      await blocks.remove(id, blocks.trashed);
      await this.#commit([{ id, before, after: removedEntry(before, clock.nowMs()) }]);
      return before.sizeBytes;
    });
  }

  /** Takes the tombstones out of the index that need not be kept any more. */
  async #forgetExpired(prefix: string): Promise<void> {
    const { index, clock } = this.#parts;
    const nowMs = clock.nowMs();
    const ids: Id[] = [];
    for (const { id, entry } of index.entries(parseId(prefix.padEnd(64, '0')), prefix)) {
      if (isExpiredTombstone(entry, nowMs)) ids.push(id);
    }
    for (let at = 0; at < ids.length; at += limits.indexCommitChanges) {
      const some = ids.slice(at, at + limits.indexCommitChanges);
      await this.#locks.with(some, () => {
        const changes = some.flatMap((id) => {
          const before = index.get(id);
          // It may have come back in the meantime.
          return isExpiredTombstone(before, nowMs) ? [{ id, before, after: undefined }] : [];
        });
        return this.#commit(changes);
      });
    }
  }

  async #commit(changes: readonly Change[]): Promise<void> {
    await this.#parts.index.commit(changes);
    for (const { id, before, after } of changes) this.#parts.totals.changeBlock(id, before, after);
  }
}
