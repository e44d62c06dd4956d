import { PeerStoreError } from '../../base/errors.js';
import { hashToId, shortId } from '../../ring/identifier.js';
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
  return async ({ request: { id, owner: named }, body, caller }) => {
    const owner = ownerOf(caller, named);
    if (hashToId(body) !== id) {
      throw new PeerStoreError('DAMAGED', `the bytes posted as block ${shortId(id)} do not have that hash`);
    }
    if (caller.kind === 'peer') {
      const { isNew } = await deps.store.putBlock(id, body, owner);
      return { response: { isNew, copies: 1 } };
    }
    deps.replication.requireResponsible(id);
    const { done } = await deps.replication.spread(`storing block ${shortId(id)}`, async (holder) => {
      if (holder.machine === deps.machine) return deps.store.putBlock(id, body, owner);
      return (await deps.transport.call(holder, 'postBlock', { id, owner }, { body })).response;
    });
    return { response: { isNew: done.some(({ isNew }) => isNew), copies: done.length } };
  };
}
