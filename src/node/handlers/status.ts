import { version } from '../../base/version.js';
import type { Store } from '../../store/store.js';
import type { Membership } from '../membership.js';
import type { Replication } from '../replication.js';
import type { Handler } from './handler.js';

/** What the peer says of itself, and of the caller's share in it. */
export function statusHandler(deps: {
  readonly membership: Membership;
  readonly replication: Replication;
  readonly store: Store;
  readonly replicas: number;
}): Handler<'status'> {
  return ({ caller }) => {
    const { blocks, records, bytes, capacityBytes } = deps.store.stats();
    return {
      response: {
        self: deps.membership.state.self,
        version,
        keys: blocks + records,
        bytes,
        capacityBytes,
        keysShort: deps.replication.keysShort(blocks + records),
        replicas: deps.replicas,
        usedBytes: caller.kind === 'user' ? deps.store.usedBytes(caller.userId) : 0,
        quotaBytes: null,
      },
    };
  };
}
