import type { Store } from '../../store/store.js';
import type { Transport } from '../../wire/transport.js';
import type { Replication } from '../replication.js';
import { type Handler, ownerOf } from './handler.js';

/** How long one holder may take: the answers of the others must not wait for a machine that has stopped. */
const holderTimeoutMs = 10_000;

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
      const options = { timeoutMs: holderTimeoutMs };
      return (await deps.transport.call(holder, 'hasBlocks', { ids, owner }, options)).response.present;
    });
    const present = ids.map((_, at) => done.filter((answer) => answer[at] === true).length >= majority);
    return { response: { present } };
  };
}
