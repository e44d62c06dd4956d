import { shortId } from '../../ring/identifier.js';
import type { Repair } from '../repair/repair.js';
import { type Handler, ownerOf, type SpreadingDeps, touchedAt } from './handler.js';

/** Keeps a block: here for a peer that passes it on, at a majority of the holders for a user. */
export function postBlockHandler(
  deps: SpreadingDeps & { readonly repair: Pick<Repair, 'onItsWay'> },
): Handler<'postBlock'> {
  // Every store checks the bytes against the id before it keeps them.
  return async (call) => {
    const { body } = call;
    const { id, owner: named } = call.request;
    const touchedAtMs = touchedAt(call.caller, call.request.touchedAtMs, deps.clock);
    const owner = ownerOf(call.caller, named);
    if (call.caller.kind === 'peer') {
      deps.replication.requireStaying();
      const { isNew } = await deps.store.putBlock(id, body, owner, touchedAtMs);
      call.releaseBody?.();
      return { response: { isNew, copies: 1 } };
    }
    deps.replication.requireResponsible(id);
    const arrived = deps.repair.onItsWay(id);
    const { done } = await deps.replication.spread(
      `storing block ${shortId(id)}`,
      call.signal,
      async (holder, signal) => {
        if (holder.machine === deps.machine) return deps.store.putBlock(id, body, owner, touchedAtMs);
        const request = { id, owner, touchedAtMs };
        return (await deps.transport.call(holder, 'postBlock', request, { body, signal })).response;
      },
      // Late copies still read the body; and of one that failed, nobody knows what is still waiting to be sent.
      (allDone) => {
        arrived();
        if (allDone) call.releaseBody?.();
      },
    );
    return { response: { isNew: done.some(({ isNew }) => isNew), copies: done.length } };
  };
}
