/** Every method of the catalogue with what carries it out. */
import type { Id } from '../../ring/identifier.js';
import type { Handlers } from '../dispatch.js';
import type { Membership } from '../membership.js';
import type { Repair } from '../repair/repair.js';
import { announceHandler } from './announce.js';
import { compareRangesHandler } from './compare-ranges.js';
import { deleteBlockHandler } from './delete-block.js';
import { deleteRecordHandler } from './delete-record.js';
import { type Admission, enrollHandler } from './enroll.js';
import { fingerTableHandler } from './finger-table.js';
import { getBlockHandler } from './get-block.js';
import { getCopyHandler } from './get-copy.js';
import { getRecordHandler } from './get-record.js';
import type { SpreadingDeps } from './handler.js';
import { hasBlocksHandler } from './has-blocks.js';
import { heldItemsHandler } from './held-items.js';
import { introduceHandler } from './introduce.js';
import { keepCopyHandler } from './keep-copy.js';
import { knownPeersHandler } from './known-peers.js';
import { leaveHandler } from './leave.js';
import { notifyHandler } from './notify.js';
import { ownBlocksHandler } from './own-blocks.js';
import { pingHandler } from './ping.js';
import { postBlockHandler } from './post-block.js';
import { postRecordHandler } from './post-record.js';
import { predecessorHandler } from './predecessor.js';
import { probeHandler } from './probe.js';
import { statusHandler } from './status.js';
import { successorHandler } from './successor.js';
import { successorListHandler } from './successor-list.js';

export interface HandlersDeps extends SpreadingDeps {
  readonly membership: Membership;
  readonly repair: Repair;
  /** Copies of each value. */
  readonly replicas: number;
  /** Lets newcomers in, on peers that hold the authority. */
  readonly admission: Admission | undefined;
}

export function handlersOf(deps: HandlersDeps): Handlers {
  const { membership, store } = deps;
  const reading = { store, onDamaged: (id: Id) => deps.repair.mendSoon(id) };
  return {
    ping: pingHandler,
    successor: successorHandler(membership),
    predecessor: predecessorHandler(membership),
    successorList: successorListHandler(membership),
    notify: notifyHandler(membership),
    announce: announceHandler(membership),
    introduce: introduceHandler(membership),
    probe: probeHandler(membership),
    knownPeers: knownPeersHandler(membership),
    fingerTable: fingerTableHandler(membership),
    leave: leaveHandler(membership),
    postBlock: postBlockHandler(deps),
    getBlock: getBlockHandler(reading),
    hasBlocks: hasBlocksHandler(deps),
    deleteBlock: deleteBlockHandler(deps),
    ownBlocks: ownBlocksHandler(deps),
    postRecord: postRecordHandler(deps),
    getRecord: getRecordHandler(store),
    deleteRecord: deleteRecordHandler(deps),
    compareRanges: compareRangesHandler(store),
    heldItems: heldItemsHandler(deps),
    getCopy: getCopyHandler(reading),
    keepCopy: keepCopyHandler(deps),
    enroll: enrollHandler(membership, deps.admission),
    status: statusHandler(deps),
  };
}
