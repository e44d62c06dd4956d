import { shortId } from '../../ring/identifier.js';
import { type Handler, ownerOf, type SpreadingDeps } from './handler.js';

/** Gives up a user's ownership of a block, on every holder that can be reached. */
export function deleteBlockHandler(deps: SpreadingDeps): Handler<'deleteBlock'> {
  return async (call) => {
    const { id, owner: named } = call.request;
    const owner = ownerOf(call.caller, named);
    if (call.caller.kind === 'peer') {
      return { response: { released: await deps.store.releaseBlock(id, owner, call.request.liveSetAtMs) } };
    }
    deps.replication.requireResponsible(id);
    deps.replication.requireMajority();
    // A device whose clock is ahead would undo what is posted after it: no live set was taken later than now.
    const liveSetAtMs = Math.min(call.request.liveSetAtMs, deps.clock.nowMs());
    const { done, majority } = await deps.replication.spreadToAll(
      `deleting block ${shortId(id)}`,
      call.signal,
      async (holder, signal) => {
        if (holder.machine === deps.machine) return deps.store.releaseBlock(id, owner, liveSetAtMs);
        const request = { id, liveSetAtMs, owner };
        return (await deps.transport.call(holder, 'deleteBlock', request, { signal })).response.released;
      },
    );
    return { response: { released: done.filter(Boolean).length >= majority } };
  };
}
