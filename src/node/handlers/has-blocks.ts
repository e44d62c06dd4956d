import { type Handler, ownerOf, type SpreadingDeps } from './handler.js';

/** How long one holder may take: what the others know must not wait for a machine that has stopped. */
const holderTimeoutMs = 10_000;

/** Which blocks are kept: here for a peer, at a majority of the holders for a user. A hit touches. */
export function hasBlocksHandler(deps: SpreadingDeps): Handler<'hasBlocks'> {
  return async (call) => {
    const { ids, owner: named } = call.request;
    const owner = ownerOf(call.caller, named);
    if (call.caller.kind === 'peer') {
      return { response: { present: await deps.store.touchBlocks(ids, owner) } };
    }
    for (const id of ids) deps.replication.requireResponsible(id);
    const isPresent = (answers: readonly (readonly boolean[])[], majority: number): boolean[] =>
      ids.map((_, at) => answers.filter((answer) => answer[at] === true).length >= majority);
    const { done, majority } = await deps.replication.spreadToAll(
      'looking for blocks',
      call.signal,
      async (holder, signal) => {
        if (holder.machine === deps.machine) return deps.store.touchBlocks(ids, owner);
        const options = { signal, timeoutMs: holderTimeoutMs };
        return (await deps.transport.call(holder, 'hasBlocks', { ids, owner }, options)).response.present;
      },
      // One silent holder does not hold up what the others know.
      (answers, majority) => isPresent(answers, majority).every(Boolean),
    );
    return { response: { present: isPresent(done, majority) } };
  };
}
