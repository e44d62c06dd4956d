import { PeerStoreError } from '../../base/errors.js';
import { limits } from '../../base/limits.js';
import { shortId } from '../../ring/identifier.js';
import type { Store } from '../../store/store.js';
import type { Handler } from './handler.js';

/** A block, or a part of it, as far as this peer holds it. */
export function getBlockHandler(store: Store): Handler<'getBlock'> {
  return async ({ request: { id, offset, length } }) => {
    const range =
      offset === undefined && length === undefined
        ? undefined
        : { offset: offset ?? 0, length: length ?? limits.blockBytes };
    const found = await store.getBlock(id, range);
    if (found === undefined)
      throw new PeerStoreError('NOT_FOUND', `block ${shortId(id)} is not on this peer`);
    return { response: { sizeBytes: found.sizeBytes }, body: found.bytes };
  };
}
