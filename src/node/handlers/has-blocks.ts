import { isFailure } from '../../base/errors.js';
import { limits } from '../../base/limits.js';
import type { Id } from '../../ring/identifier.js';
import type { PeerRef } from '../../ring/peer.js';
import type { Repair } from '../repair/repair.js';
import { type Handler, ownerOf, type SpreadingDeps, touchedAt } from './handler.js';

/** How long one holder may take: what the others know must not wait for a machine that has stopped. */
const holderTimeoutMs = 10_000;

/**
 * Which blocks are kept: here for a peer, by as many as make a majority for a user. A hit touches.
 *
 * Copies count wherever they are: where holders have no room, others stand in for them. Those are asked about what too few
 * holders have, if one of these has it or has no room; what is simply new, as most of what is asked about, costs no further
 * question.
 */
export function hasBlocksHandler(
  deps: SpreadingDeps & { readonly repair: Pick<Repair, 'isWithoutRoom'> },
): Handler<'hasBlocks'> {
  const { store, replication, transport, clock, machine, repair } = deps;
  return async ({ caller, request, signal }) => {
    const { ids } = request;
    const touchedAtMs = touchedAt(caller, request.touchedAtMs, clock);
    const owner = ownerOf(caller, request.owner);
    if (caller.kind === 'peer') {
      replication.requireStaying();
      return { response: { present: await store.touchBlocks(ids, owner, touchedAtMs) } };
    }
    for (const id of ids) replication.requireResponsible(id);
    const asked = new Set<Id>();
    const touchedAtPeer = async (
      peer: PeerRef,
      some: readonly Id[],
      options: { readonly signal: AbortSignal; readonly timeoutMs: number },
    ): Promise<ReadonlySet<Id>> => {
      asked.add(peer.machine);
      const touch = { ids: some, owner, touchedAtMs };
      const present =
        peer.machine === machine
          ? await store.touchBlocks(some, owner, touchedAtMs)
          : (await transport.call(peer, 'hasBlocks', touch, options)).response.present;
      return new Set(some.filter((_, at) => present[at] === true));
    };
    const countOf = (answers: readonly ReadonlySet<Id>[], id: Id): number =>
      answers.filter((answer) => answer.has(id)).length;
    const { done, majority } = await replication.spreadToAll(
      'looking for blocks',
      signal,
      (holder, ended) => touchedAtPeer(holder, ids, { signal: ended, timeoutMs: holderTimeoutMs }),
      // One silent holder does not hold up what the others know.
      (answers, enough) => ids.every((id) => countOf(answers, id) >= enough),
    );
    const { holdersAndThoseBehind: around } = replication;
    const areWithoutRoom = around.some((peer) => asked.has(peer.machine) && repair.isWithoutRoom(peer.id));
    const open = ids.filter((id) => {
      const count = countOf(done, id);
      return count < majority && (count > 0 || areWithoutRoom);
    });
    const behind = open.length === 0 ? [] : around.filter((peer) => !asked.has(peer.machine));
    const options = { signal, timeoutMs: limits.standInAnswerMs };
    const more = await Promise.all(
      behind.map((peer) => touchedAtPeer(peer, open, options).catch(nothingUnlessFault)),
    );
    const answers = [...done, ...more];
    return { response: { present: ids.map((id) => countOf(answers, id) >= majority) } };
  };
}

/** Who cannot say has nothing: then the block is sent once more. */
function nothingUnlessFault(error: unknown): ReadonlySet<Id> {
  if (!isFailure(error)) throw error;
  return new Set();
}
