import { shortId } from '../../ring/identifier.js';
import type { Store } from '../../store/store.js';
import type { Transport } from '../../wire/transport.js';
import type { Replication } from '../replication.js';
import { type Handler, ownerOf } from './handler.js';

/** Keeps a block: here for a peer that passes it on, at a majority of the holders for a user. */
export function postBlockHandler(deps: {
  readonly store: Store;
  readonly replication: Replication;
  readonly transport: Transport;
  readonly machine: string;
}): Handler<'postBlock'> {
  // Every store checks the bytes against the id before it keeps them.
  return async (call) => {
    const { request, body, caller } = call;
    const { id } = request;
    const owner = ownerOf(caller, request.owner);
    if (caller.kind === 'peer') {
      const { isNew } = await deps.store.putBlock(id, body, owner);
      call.releaseBody?.();
      return { response: { isNew, copies: 1 } };
    }
    deps.replication.requireResponsible(id);
    const { done, settled } = await deps.replication.spread(
      `storing block ${shortId(id)}`,
      async (holder) => {
        if (holder.machine === deps.machine) return deps.store.putBlock(id, body, owner);
        return (await deps.transport.call(holder, 'postBlock', { id, owner }, { body })).response;
      },
    );
    // Late copies still read the body; and of one that failed, nobody knows what is still waiting to be sent.
    void settled.then((all) => {
      if (all) call.releaseBody?.();
    });
    return { response: { isNew: done.some(({ isNew }) => isNew), copies: done.length } };
  };
}
