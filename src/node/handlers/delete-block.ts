import { shortId } from '../../ring/identifier.js';
import type { Store } from '../../store/store.js';
import type { Transport } from '../../wire/transport.js';
import type { Replication } from '../replication.js';
import { type Handler, ownerOf } from './handler.js';

/** Gives up a user's ownership of a block, on every holder that can be reached. */
export function deleteBlockHandler(deps: {
  readonly store: Store;
  readonly replication: Replication;
  readonly transport: Transport;
  readonly machine: string;
}): Handler<'deleteBlock'> {
  return async ({ request: { id, liveSetAtMs, owner: named }, caller }) => {
    const owner = ownerOf(caller, named);
    if (caller.kind === 'peer') {
      return { response: { released: await deps.store.releaseBlock(id, owner, liveSetAtMs) } };
    }
    deps.replication.requireResponsible(id);
    const { done, majority } = await deps.replication.spreadToAll(
      `deleting block ${shortId(id)}`,
      async (holder) => {
        if (holder.machine === deps.machine) return deps.store.releaseBlock(id, owner, liveSetAtMs);
        return (await deps.transport.call(holder, 'deleteBlock', { id, liveSetAtMs, owner })).response
          .released;
      },
    );
    return { response: { released: done.filter(Boolean).length >= majority } };
  };
}
