import { hasCode, PeerStoreError } from '../../base/errors.js';
import { shortId } from '../../ring/identifier.js';
import type { GetBlockDeps } from './get-block.js';
import type { Handler } from './handler.js';

/** What this peer knows of a block, and its bytes: for another holder. */
export function getCopyHandler({ store, onDamaged }: GetBlockDeps): Handler<'getCopy'> {
  return async ({ request: { id, withBytes, isDoubted = false } }) => {
    try {
      const found = withBytes ? await store.getBlock(id, { isChecked: isDoubted }) : undefined;
      const [state] = await store.blockStates([id]);
      if (state === undefined)
        throw new PeerStoreError('NOT_FOUND', `block ${shortId(id)} is not on this peer`);
      const response = { state, hasBytes: found !== undefined };
      return found === undefined ? { response } : { response, body: found.bytes };
    } catch (error) {
      if (hasCode(error, 'DAMAGED')) onDamaged(id);
      throw error;
    }
  };
}
