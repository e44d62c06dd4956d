import type { Handler, SpreadingDeps } from './handler.js';

/** Adds what another holder knows of a block to what this one knows. */
export function keepCopyHandler({
  store,
  replication,
}: Pick<SpreadingDeps, 'store' | 'replication'>): Handler<'keepCopy'> {
  return async (call) => {
    replication.requireStaying();
    const { id, state, hasBytes, fromTrash = false } = call.request;
    const outcome = await store.mergeBlock(id, state, hasBytes ? call.body : undefined);
    call.releaseBody?.();
    const lacksTrash = fromTrash && !hasBytes && (await store.blockInfo(id)) === undefined;
    return { response: { needsBytes: outcome === 'needs bytes' || lacksTrash } };
  };
}
