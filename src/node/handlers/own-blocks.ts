import { limits } from '../../base/limits.js';
import { allKeys } from '../../ring/key-range.js';
import type { ResponseOf } from '../../wire/catalogue.js';
import type { Membership } from '../membership.js';
import { type Handler, ownerOf, type SpreadingDeps } from './handler.js';

/** What a user has here, of what this peer is responsible for. */
export function ownBlocksHandler({
  store,
  replication,
  membership,
  clock,
}: Pick<SpreadingDeps, 'store' | 'replication' | 'clock'> & {
  readonly membership: Membership;
}): Handler<'ownBlocks'> {
  return async ({ caller, request: { first } }) => {
    replication.requireResponsible(first);
    replication.requireMajority();
    const owner = ownerOf(caller, undefined);
    // Taken before the look: what is touched from now on has a later time.
    const nowMs = clock.nowMs();
    const { self } = membership.state;
    const last = first > self.id ? allKeys.last : self.id;
    const keys = await store.listKeys(first, limits.ownBlocks);
    const within = keys.filter(({ id }) => id <= last);
    const isWhole = keys.length < limits.ownBlocks || within.length < keys.length;
    const blocks: ResponseOf<'ownBlocks'>['blocks'][number][] = [];
    for (const { id, kind } of within) {
      const info = kind === 'block' ? await store.blockInfo(id) : undefined;
      if (info?.owners.includes(owner) !== true) continue;
      blocks.push({ id, sizeBytes: info.sizeBytes, touchedAtMs: info.touchedAtMs });
    }
    return { response: { blocks, upTo: isWhole ? last : (within.at(-1)?.id ?? last), nowMs } };
  };
}
