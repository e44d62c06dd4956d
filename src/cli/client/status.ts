/** `status`: the ring as the client sees it. */
import { type PeerStatus, type RingStatus, ringStatus } from '../../client/ring-status.js';
import type { Console } from '../run.js';
import { showShortage } from '../shortage.js';
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
    for (const line of showRingStatus(status)) console.out(line);
  });
}

/** The lines that people read. */
export function showRingStatus(status: RingStatus): readonly string[] {
  const of = status.quotaBytes === null ? '' : ` of ${showSize(status.quotaBytes)}`;
  const inTrouble = status.peers.filter(({ disk }) => isInTrouble(disk)).length;
  return [
    ...status.peers.map(showPeer),
    ...(inTrouble === 0
      ? []
      : [`disks: ${showCount(inTrouble, 'peer')} in trouble; peerstore-server status there says what to do`]),
    `copies: ${status.replicas} of each key wanted; ${showShort(status)}`,
    `you use ${showSize(status.usedBytes)}${of}, all copies counted`,
  ];
}

function showPeer({ id, address, zone, alive, problem, keys, bytes, disk }: PeerStatus): string {
  const since = disk === null || disk.since === null ? '' : ` since ${disk.since}`;
  const trouble = disk !== null && isInTrouble(disk) ? `; its disk is ${disk.state}${since}` : '';
  const held = alive
    ? `${showCount(keys, 'key')}, ${showSize(bytes)}${trouble}`
    : `not reached: ${problem ?? ''}`;
  return `${shortId(id)}  ${address}${zone === null ? '' : ` (${zone})`}  ${held}`;
}

function isInTrouble(disk: PeerStatus['disk']): boolean {
  return disk !== null && disk.state !== 'fine';
}

function showShort(status: RingStatus): string {
  const { keysShort, keysShortKnown, short, owedBytes } = status;
  const unknown = keysShortKnown ? '' : `not known yet: ${showUnknown(status)}`;
  if (keysShort === 0) {
    return keysShortKnown
      ? 'no key is short of copies as far as the peers can tell'
      : `whether any key is short of copies is ${unknown}`;
  }
  const left = short.length === 0 ? '' : `: ${showShortage(short)}`;
  const more = keysShortKnown ? '' : `; whether more are is ${unknown}`;
  return `${showCount(keysShort, 'key')} short of copies${left}; ${showSize(owedBytes)} owed${more}`;
}

/** Whose keys nobody can tell about. */
function showUnknown({ peers }: RingStatus): string {
  const silent = peers.filter(({ alive }) => !alive).map(({ id }) => shortId(id));
  const behind = peers.filter(({ alive, keysLookedAt }) => alive && keysLookedAt === null).length;
  return [
    ...(behind === 0
      ? []
      : [
          `${showCount(behind, 'peer')} ${behind === 1 ? 'has' : 'have'} not compared ${behind === 1 ? 'its' : 'their'} keys`,
        ]),
    ...(silent.length === 0 ? [] : [`no answer from ${silent.join(', ')}`]),
  ].join(', ');
}

/** As much of a peer's id as people need to tell it from others. */
function shortId(id: string): string {
  return id.slice(0, 12);
}
