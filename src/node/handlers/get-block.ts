import { hasCode, PeerStoreError } from '../../base/errors.js';
import { limits } from '../../base/limits.js';
import { type Id, shortId } from '../../ring/identifier.js';
import type { Store } from '../../store/store.js';
import type { Handler } from './handler.js';

export interface GetBlockDeps {
  readonly store: Store;
  /** Told of a block that was asked for and turned out to be damaged here. */
  readonly onDamaged: (id: Id) => void;
}

/** A block, or a part of it, as far as this peer holds it. */
export function getBlockHandler({ store, onDamaged }: GetBlockDeps): Handler<'getBlock'> {
  return async ({ request: { id, offset, length, isDoubted = false } }) => {
    const range = { offset: offset ?? 0, length: length ?? limits.blockBytes };
    try {
      const found = await store.getBlock(id, { range, isChecked: isDoubted });
      if (found !== undefined) return { response: { sizeBytes: found.sizeBytes }, body: found.bytes };
    } catch (error) {
      if (hasCode(error, 'DAMAGED')) onDamaged(id);
      throw error;
    }
    throw new PeerStoreError('NOT_FOUND', `block ${shortId(id)} is not on this peer`);
  };
}
