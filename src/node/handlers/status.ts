import { version } from '../../base/version.js';
import type { Store } from '../../store/store.js';
import type { Membership } from '../membership.js';
import type { Repair } from '../repair/repair.js';
import type { Handler } from './handler.js';

/** What the peer says of itself, and of the caller's share in it. */
export function statusHandler(deps: {
  readonly membership: Membership;
  readonly repair: Pick<Repair, 'status'>;
  readonly store: Store;
  readonly replicas: number;
}): Handler<'status'> {
  return async ({ caller }) => {
    const { blocks, records, bytes, capacityBytes, disk } = deps.store.stats();
    const { keysShort, short, owedBytes, lookedAtMs } = await deps.repair.status();
    return {
      response: {
        self: deps.membership.state.self,
        version,
        keys: blocks + records,
        bytes,
        capacityBytes,
        keysShort,
        replicas: deps.replicas,
        usedBytes: caller.kind === 'user' ? deps.store.usedBytes(caller.userId) : 0,
        quotaBytes: null,
        short,
        owedBytes,
        disk: { state: disk.state, sinceMs: disk.sinceMs },
        ...(lookedAtMs === null ? {} : { lookedAtMs }),
      },
    };
  };
}
