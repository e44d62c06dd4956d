import { shortId } from '../../ring/identifier.js';
import { type Handler, ownerOf, type SpreadingDeps } from './handler.js';

/** Keeps a block: here for a peer that passes it on, at a majority of the holders for a user. */
export function postBlockHandler(deps: SpreadingDeps): Handler<'postBlock'> {
  // Every store checks the bytes against the id before it keeps them.
  return async (call) => {
    const { body } = call;
    const { id, owner: named } = call.request;
    const owner = ownerOf(call.caller, named);
    if (call.caller.kind === 'peer') {
      const { isNew } = await deps.store.putBlock(id, body, owner);
      call.releaseBody?.();
      return { response: { isNew, copies: 1 } };
    }
    deps.replication.requireResponsible(id);
    const { done } = await deps.replication.spread(
      `storing block ${shortId(id)}`,
      call.signal,
      async (holder, signal) => {
        if (holder.machine === deps.machine) return deps.store.putBlock(id, body, owner);
        return (await deps.transport.call(holder, 'postBlock', { id, owner }, { body, signal })).response;
      },
      // Late copies still read the body; and of one that failed, nobody knows what is still waiting to be sent.
      (allDone) => {
        if (allDone) call.releaseBody?.();
      },
    );
    return { response: { isNew: done.some(({ isNew }) => isNew), copies: done.length } };
  };
}
