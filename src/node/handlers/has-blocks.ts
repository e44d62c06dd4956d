import type { Store } from '../../store/store.js';
import type { Transport } from '../../wire/transport.js';
import type { Replication } from '../replication.js';
import { type Handler, ownerOf } from './handler.js';

/** Which blocks are kept: here for a peer, at a majority of the holders for a user. A hit touches. */
export function hasBlocksHandler(deps: {
  readonly store: Store;
  readonly replication: Replication;
  readonly transport: Transport;
  readonly machine: string;
}): Handler<'hasBlocks'> {
  return async ({ request: { ids, owner: named }, caller }) => {
    const owner = ownerOf(caller, named);
    if (caller.kind === 'peer') return { response: { present: await deps.store.touchBlocks(ids, owner) } };
    for (const id of ids) deps.replication.requireResponsible(id);
    const { done, majority } = await deps.replication.spreadToAll('looking for blocks', async (holder) => {
      if (holder.machine === deps.machine) return deps.store.touchBlocks(ids, owner);
      return (await deps.transport.call(holder, 'hasBlocks', { ids, owner })).response.present;
    });
    const present = ids.map((_, at) => done.filter((answer) => answer[at] === true).length >= majority);
    return { response: { present } };
  };
}
