/** Reading what was given up by mistake: being asked whether a block is there brings it back from the trash of its holders. */
import { hasCode, isFailure } from '../base/errors.js';
import type { BlockSource } from '../archive/ports.js';
import type { RemoteBlocks } from './remote-blocks.js';

/**
 * A source that asks once for what is missing, and then reads it again.
 * @param asking asked with little patience: what is missing for good should not cost half a minute for each block
 */
export function bringingBack(
  blocks: Pick<RemoteBlocks, 'get'>,
  asking: Pick<RemoteBlocks, 'has'>,
): BlockSource {
  return {
    get: async (id, range) => {
      try {
        return await blocks.get(id, range);
      } catch (error) {
        if (!hasCode(error, 'MISSING')) throw error;
        try {
          await asking.has([id]);
        } catch (failure) {
          throw isFailure(failure) ? error : failure;
        }
        return blocks.get(id, range);
      }
    },
  };
}
