/** `status`: the ring as the client sees it. */
import { ringStatus } from '../../client/ring-status.js';
import type { Console } from '../run.js';
import { showCount, showSize } from '../units.js';
import { type CommonArguments, withSession } from './context.js';

/** Shows every peer, the copies, and the user's usage. */
export async function runStatus(args: CommonArguments, console: Console): Promise<void> {
  await withSession(args, console, async (session) => {
    const status = await ringStatus(session);
    if (args.json) {
      console.out(JSON.stringify(status));
      return;
    }
    for (const { id, address, zone, alive, problem, keys, bytes } of status.peers) {
      const held = alive ? `${showCount(keys, 'key')}, ${showSize(bytes)}` : `not reached: ${problem ?? ''}`;
      console.out(`${id.slice(0, 12)}  ${address}${zone === null ? '' : ` (${zone})`}  ${held}`);
    }
    const short =
      status.keysShort === 0
        ? 'no key is short of copies as far as the peers can tell'
        : `${showCount(status.keysShort, 'key')} short of copies`;
    console.out(`copies: ${status.replicas} of each key wanted; ${short}`);
    const of = status.quotaBytes === null ? '' : ` of ${showSize(status.quotaBytes)}`;
    console.out(`you use ${showSize(status.usedBytes)}${of}, all copies counted`);
  });
}
